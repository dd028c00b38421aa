/**
 * How long it takes to refine a coarse span of the offset map from the logs of real brokers, and how long a look-up that
 * has to does:
 *
 *   node test/bench/offsets/measure-refine.ts [records of a batch]
 *
 * Both logs lie on one broker of its own; 100 000 records of 1 KiB in batches of about 1 MiB, then in batches of one.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { kafkajsClient } from '../../../replicator/cli/demo/kafkajs-client.ts'
import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import { systemRandom } from '../../../replicator/clock/random.ts'
import { systemClock } from '../../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../../replicator/kafka/kafka-cluster.ts'
import { installKafka } from '../../../replicator/local/installation.ts'
import { startLocalCluster } from '../../../replicator/local/local-cluster.ts'
import { LogWalks } from '../../../replicator/logs/log-walks.ts'
import { refineSpan } from '../../../replicator/offsets/refine-span.ts'
import { rewriteForTarget } from '../../../replicator/records/batch-header.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import { createTopics } from '../../integration/create-topics.ts'
import { buildBatch, recordsOf } from '../../simulation/record-batches.ts'
import { mapTopic, registerProducer, summary, timeLookups } from './measure-lookup.ts'

const records = 100_000
const rounds = 7
/** Requests under way at once while the logs are written. */
const inFlight = 5

const say = (text: string) => process.stdout.write(`${text}\n`)

async function fill(
  cluster: Cluster,
  topic: string,
  batchRecords: number,
  signal: AbortSignal,
): Promise<void> {
  const found = (await cluster.describeTopics([topic], signal)).get(topic)
  const leader = found?.kind === 'found' ? found.topic.partitions[0]?.leader : undefined
  if (leader === undefined) throw new Error(`${topic} has no leader`)
  const value = 'x'.repeat(1000)
  const pairs = Array.from({ length: batchRecords }, (): [string, string] => ['key', value])
  const batch = buildBatch(recordsOf(pairs, Date.now()))
  const channel = await cluster.openChannel(leader, signal)
  let left = records / batchRecords
  let baseSequence = 0
  const write = async () => {
    while (left-- > 0) {
      const own = Buffer.from(batch)
      // As the flow writes: with sequence numbers, in order.
      rewriteForTarget(own, 0, { producerId: 900_001n, producerEpoch: 0, baseSequence })
      baseSequence += batchRecords
      const batches = [{ topic, partition: 0, batch: own }]
      const { results } = await channel.produce({ batches, timeoutMs: 30_000 }, signal)
      for (const { result } of results) if (!result.ok) throw result.error
    }
  }
  await Promise.all(Array.from({ length: inFlight }, write))
  await channel.close()
}

async function measure(cluster: Cluster, topics: readonly [string, string], count: number, bytesMax: number) {
  const times: number[] = []
  let told = ''
  for (let round = 0; round < rounds; round++) {
    const walks = new LogWalks({ cluster, clock: systemClock, random: systemRandom, backoff: defaultBackoff })
    const from = performance.now()
    const result = await refineSpan(
      {
        sourceFrom: sourceOffset(1n),
        sourceTo: sourceOffset(BigInt(1 + count)),
        targetFrom: targetOffset(1n),
        targetTo: targetOffset(BigInt(1 + count)),
      },
      {
        source: { walks, topic: topics[0], partition: 0 },
        target: { walks, topic: topics[1], partition: 0 },
        rule: 'everything',
        origins: undefined,
        producers: 'everybody',
        bytesMax,
      },
      AbortSignal.timeout(60_000),
    )
    times.push(performance.now() - from)
    const [first] = result.kind === 'refined' ? result.parts : []
    told = first !== undefined && 'count' in first ? `${first.count} exact` : result.kind
    await walks.close()
  }
  return `${summary(times)} (${told})`
}

const signal = AbortSignal.timeout(240_000)
const installation = await installKafka({ onProgress: say }, signal)
const folder = await mkdtemp(join(tmpdir(), 'causeway-refine-'))
const broker = await startLocalCluster({ alias: 'refine', installation, folder }, signal)
const settings = { bootstrap: broker.bootstrap, clientId: 'measure-refine' }
const alias = regionAlias('us-east')
const cluster = createKafkaCluster({ alias, settings, clock: systemClock, random: systemRandom })
const admin = kafkajsClient('measure-refine', broker.bootstrap).admin()
try {
  await admin.connect()
  await createTopics(admin, [{ topic: mapTopic, numPartitions: 1 }])
  await registerProducer(cluster, 900_001n, signal)
  for (const batchRecords of process.argv[2] === undefined ? [1000, 1] : [Number(process.argv[2])]) {
    const topics = [`records-${batchRecords}`, `us-east.records-${batchRecords}`] as const
    await createTopics(
      admin,
      topics.map((topic) => ({ topic, numPartitions: 1 })),
    )
    for (const topic of topics) await fill(cluster, topic, batchRecords, signal)
    for (const count of [records - 1, 10_000, 1000])
      for (const bytesMax of count > 10_000
        ? [Number.MAX_SAFE_INTEGER, 64 * 1024 * 1024]
        : [64 * 1024 * 1024])
        say(
          `batches of ${batchRecords}, ${count} records, ${bytesMax > 2 ** 40 ? 'no budget' : '64 MiB'}: ${await measure(cluster, topics, count, bytesMax)}`,
        )
    for (const count of [10_000, 1000])
      say(
        `batches of ${batchRecords}, ${count} records, as a look-up: ${await timeLookups({ cluster, bootstrap: broker.bootstrap, topics, count, rounds })}`,
      )
  }
} finally {
  await admin.disconnect()
  await cluster.close()
  await broker.stop()
  await rm(folder, { recursive: true, force: true })
}
