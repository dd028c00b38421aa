import assert from 'node:assert/strict'
import type { TopicPartition } from '../../../replicator/kafka/cluster.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import { compareTopics } from '../../../replicator/verify/compare-topics.ts'
import type { VerifyReport } from '../../../replicator/verify/report.ts'
import type { DecideFault } from '../../simulation/faults.ts'
import { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { type BatchFields, buildBatch, recordsOf, type TestRecord } from '../../simulation/record-batches.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { SimulatedBrokers } from '../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'

export const stamp = Date.UTC(2026, 0, 1)
export const at = (topic: string, partition = 0): TopicPartition => ({ topic, partition })

export interface Setting {
  readonly clock: SimulatedClock
  readonly source: SimulatedBrokers
  readonly target: SimulatedBrokers
  readonly clients: { readonly source: MemoryCluster; readonly target: MemoryCluster }
  write(
    side: 'source' | 'target',
    where: TopicPartition,
    batch: readonly TestRecord[],
    fields?: BatchFields,
  ): void
  verify(
    partitions?: readonly number[],
    more?: Partial<Parameters<typeof compareTopics>[0]>,
  ): Promise<VerifyReport>
}

/** Topics `orders` on us-east and `copy` on eu-west, three simulated brokers each. */
export async function setting(partitions = 1, faults: DecideFault = () => undefined): Promise<Setting> {
  const clock = new SimulatedClock(stamp)
  const source = new SimulatedBrokers({ clock, seed: 1, brokers: 3 })
  const target = new SimulatedBrokers({ clock, seed: 2, brokers: 3 })
  const clients = {
    source: new MemoryCluster(source, { alias: regionAlias('us-east'), faults }),
    target: new MemoryCluster(target, { alias: regionAlias('eu-west'), faults }),
  }
  const topic = { partitions, replicationFactor: 3, configs: new Map<string, string>() }
  assert.equal(source.topics.create({ name: 'orders', ...topic }).ok, true)
  assert.equal(target.topics.create({ name: 'copy', ...topic }).ok, true)
  return {
    clock,
    source,
    target,
    clients,
    write(side, where, records, fields) {
      const brokers = side === 'source' ? source : target
      const leader = brokers.partition(where).leader ?? assert.fail('no leader')
      const [answer] = brokers.produce(leader, [{ ...where, batch: buildBatch(records, fields) }])
      assert.equal(answer?.ok, true)
    },
    async verify(selected = [0], more = {}) {
      const pairs = [{ sourceTopic: 'orders', targetTopic: 'copy', partitions: selected }]
      const random = new SeededRandom(3)
      const signal = new AbortController().signal
      const report = await clock.run(compareTopics({ ...clients, pairs, clock, random, signal, ...more }))
      assert.deepEqual([clients.source.leases.held, clients.target.leases.held], [0, 0])
      return report
    },
  }
}

/** `count` records with values of their own, from number `from` on. */
export function numbered(from: number, count: number) {
  const pairs = Array.from({ length: count }, (_, i): [string, string] => [
    `k${(from + i) % 3}`,
    `v${from + i}`,
  ])
  return recordsOf(pairs, stamp)
}
