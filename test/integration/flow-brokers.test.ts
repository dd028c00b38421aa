import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { CompressionTypes, Kafka, logLevel } from 'kafkajs'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { RunningFlow } from '../../replicator/flow/flow.ts'
import { installKafka } from '../../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { FlowPair, until } from './flow-pair.ts'

const clusters: LocalCluster[] = []
let source: LocalCluster
let target: LocalCluster

before(async () => {
  const { signal } = new AbortController()
  const installation = await installKafka({}, signal)
  const start = async (alias: string) => {
    const cluster = await startLocalCluster(
      { alias, brokers: 3, heapMb: 256, installation, startTimeoutMs: 120_000 },
      signal,
    )
    clusters.push(cluster)
    return cluster
  }
  ;[source, target] = await Promise.all([start('kill-source'), start('kill-target')])
})
after(() => Promise.all(clusters.map((cluster) => cluster.stop())))

/** Writes until it is told to stop, and counts what the source has acknowledged. */
function writeSteadily(topic: string, partitions: number): { stop(): Promise<number> } {
  const kafka = new Kafka({ brokers: [...source.bootstrap], clientId: 'writer', logLevel: logLevel.NOTHING })
  // Not idempotent: kafkajs counts records as sent that brokers took for repeats while leaders change.
  const producer = kafka.producer({
    maxInFlightRequests: 1,
    retry: { retries: 40, maxRetryTime: 2000 },
  })
  let isStopped = false
  const work = async () => {
    await producer.connect()
    let written = 0
    for (let round = 0; !isStopped; round++) {
      const messages = Array.from({ length: 40 }, (_, i) => ({
        // One partition a request: kafkajs takes a broker that answered for others as having answered for
        // a partition that moved to it meanwhile, and counts records as sent that never were.
        partition: round % partitions,
        key: `key ${i}`,
        value: `record ${round} ${i} ${'x'.repeat(200)}`,
      }))
      await producer.send({
        topic,
        messages,
        acks: -1,
        compression: round % 2 === 0 ? CompressionTypes.GZIP : CompressionTypes.None,
      })
      written += messages.length
      await systemClock.sleep(20)
    }
    await producer.disconnect()
    return written
  }
  const working = work()
  return {
    stop: () => {
      isStopped = true
      return working
    },
  }
}

describe('brokers that are killed and come back', () => {
  test('lose nothing, on either side', { timeout: 150_000 }, async () => {
    const topic = 'orders'
    const pair = new FlowPair({
      source: { bootstrap: source.bootstrap },
      target: { bootstrap: target.bootstrap },
      topics: [{ kind: 'name', name: topic }],
      flow: { replicationFactor: 3 },
    })
    let flow: RunningFlow | undefined
    let writer: ReturnType<typeof writeSteadily> | undefined
    try {
      const configs = new Map([['min.insync.replicas', '2']])
      const created = await pair.source.createTopics([
        { name: topic, partitions: 6, replicationFactor: 3, configs },
      ])
      assert(created.get(topic)?.ok)
      const running = pair.start()
      flow = running
      await until('it runs', () => running.snapshot().state === 'running')
      writer = writeSteadily(topic, 6)
      const copied = (more: number) => {
        const from = running.snapshot().records
        return until(`${more} more are copied`, () => running.snapshot().records >= from + more, 60_000)
      }
      await copied(500)
      await source.killBroker(2, 'SIGKILL')
      await copied(500)
      await target.killBroker(2, 'SIGKILL')
      await copied(500)
      await Promise.all([source.restartBroker(2), target.restartBroker(2)])
      await copied(500)
      const written = await writer.stop()
      const report = await pair.caughtUp([topic])
      assert(report.records.source >= written, `${report.records.source} of ${written} are on the source`)
      for (const { verdict, differences } of report.partitions) {
        // At least once: what was in flight when a broker died may be there twice, and nothing else is amiss.
        assert(verdict !== 'unreadable')
        assert.deepEqual([differences.missing, differences.altered, differences.extra], [0, 0, 0])
      }
      assert.deepEqual(running.snapshot().stopped, [])
      await running.drain(10_000)
    } finally {
      await writer?.stop().catch(() => {})
      await flow?.destroy()
      await pair.close()
    }
  })
})
