import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import { type AdoptGroupsOptions, adoptGroups } from '../../../replicator/groups/adopt-groups.ts'
import { decodeFollowed, decodeFollowedKey } from '../../../replicator/groups/followed-record.ts'
import { TopicLog } from '../../../replicator/kafka/topic-log.ts'
import { shardOf } from '../../../replicator/shards/shard-of.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { SimulatedBrokers } from '../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'

const flow = flowId(regionAlias('us'), regionAlias('eu'))
const signal = new AbortController().signal
const shards = 3

async function scene() {
  const clock = new SimulatedClock()
  const target = new MemoryCluster(new SimulatedBrokers({ clock }), { alias: regionAlias('eu') })
  const topic = (name: string, partitions: number) => ({
    name,
    partitions,
    replicationFactor: 1,
    configs: new Map(),
  })
  await target.createTopics([topic('us.orders', 4), topic('local', 1), topic('ledger', shards)])
  const commit = async (group: string, name: string, partition: number, offset: bigint) => {
    const one = { topic: name, partition, offset, metadata: `of ${group}`, leaderEpoch: undefined }
    assert.equal((await target.commitGroupOffsets(group, [one])).kind, 'answered')
  }
  await commit('billing', 'us.orders', 1, 17n)
  await commit('billing', 'local', 0, 5n)
  await commit('fraud', 'us.orders', 1, 9n)
  await commit('fraud', 'us.orders', 3, 0n)
  await commit('other', 'us.orders', 1, 3n)
  await commit('used', 'us.orders', 0, 1n)
  const joining = target.joinGroup({
    group: 'used',
    memberId: undefined,
    instanceId: undefined,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: Buffer.alloc(0) }],
    sessionTimeoutMs: 600_000,
    rebalanceTimeoutMs: 10_000,
  })
  await clock.advance(5_000)
  await joining
  let prepared = 0
  const options: AdoptGroupsOptions = {
    flow,
    shards,
    target,
    ledgerTopic: 'ledger',
    prepare: async () => {
      prepared++
    },
    selects: (group) => group !== 'other',
    places: [0, 1, 3].map((partition) => ({ topic: 'orders', partition, targetTopic: 'us.orders' })),
    isDryRun: false,
    clock,
    random: new SeededRandom(1),
    backoff: defaultBackoff,
  }
  const written = async () => {
    const log = new TopicLog({ ...options, cluster: target, topic: 'ledger' })
    const found: object[] = []
    for (let shard = 0; shard < shards; shard++)
      await log.read(
        shard,
        ({ key, value }) => {
          const at = decodeFollowedKey(key ?? assert.fail())
          assert.equal(shardOf(at.topic, at.partition, shards), shard)
          found.push({ ...at, commits: decodeFollowed(value ?? assert.fail()) })
        },
        signal,
      )
    await log.close()
    return found
  }
  return { options, written, prepared: () => prepared, wallMs: clock.wallMs() }
}

describe('commits of another replicator', () => {
  const adopted = [
    { group: 'billing', partition: 1, offset: 17n },
    { group: 'fraud', partition: 1, offset: 9n },
    { group: 'fraud', partition: 3, offset: 0n },
  ]
  const told = (found: readonly { group: string; partition: number; offset: bigint }[]) =>
    found
      .map(({ group, partition, offset }) => ({ group, partition, offset }))
      .toSorted((a, b) => `${a.group}${a.partition}`.localeCompare(`${b.group}${b.partition}`))

  test('are written down as ours, for the lowest position of the source, in the partition of their shard', async () => {
    const { options, written, wallMs } = await scene()
    assert.deepEqual(told(await adoptGroups(options, signal)), adopted)
    const found = await written()
    assert.deepEqual(
      found.toSorted((a, b) => JSON.stringify(a, text).localeCompare(JSON.stringify(b, text))),
      adopted.map(({ group, partition, offset }) => ({
        flow,
        direction: 'forth',
        group,
        topic: 'orders',
        partition,
        commits: [{ position: 0n, offset, metadata: `of ${group}`, atMs: wallMs }],
      })),
    )
  })

  test('are only told of in a dry run', async () => {
    const { options, written, prepared } = await scene()
    assert.deepEqual(told(await adoptGroups({ ...options, isDryRun: true }, signal)), adopted)
    assert.deepEqual(await written(), [])
    assert.equal(prepared(), 0)
  })
})

const text = (_: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value)
