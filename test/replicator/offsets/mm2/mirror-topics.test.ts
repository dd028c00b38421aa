import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defaultBackoff } from '../../../../replicator/clock/backoff.ts'
import { KafkaError, protocolError } from '../../../../replicator/kafka/errors.ts'
import type { TopicLogOptions } from '../../../../replicator/kafka/topic-log.ts'
import type { Checkpoint } from '../../../../replicator/offsets/mm2/checkpoint.ts'
import type { Decoded } from '../../../../replicator/offsets/mm2/fields.ts'
import {
  checkpointCodec,
  heartbeatCodec,
  MirrorTopic,
  offsetSyncCodec,
} from '../../../../replicator/offsets/mm2/mirror-topic.ts'
import { prepareMirrorTopic } from '../../../../replicator/offsets/mm2/prepare-topic.ts'
import {
  encodeSourceOffsetKey,
  encodeSourceOffsetValue,
} from '../../../../replicator/offsets/mm2/source-offset.ts'
import {
  readSourceOffsets,
  writeSourceOffsets,
} from '../../../../replicator/offsets/mm2/source-offsets-topic.ts'
import { sourceOffset, targetOffset } from '../../../../replicator/records/offsets.ts'
import { regionAlias } from '../../../../replicator/topology/identifiers.ts'
import { MemoryCluster } from '../../../simulation/memory-cluster.ts'
import { buildBatch, recordsOf } from '../../../simulation/record-batches.ts'
import { SeededRandom } from '../../../simulation/seeded-random.ts'
import { SimulatedBrokers } from '../../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../../simulation/simulated-clock.ts'
import { TransactionalWriter } from '../../../simulation/transactional-writer.ts'

const forever = new AbortController().signal

function scene() {
  const clock = new SimulatedClock()
  const brokers = new SimulatedBrokers({ clock, brokers: 3 })
  const cluster = new MemoryCluster(brokers, { alias: regionAlias('us-east') })
  const random = new SeededRandom(1)
  return {
    clock,
    brokers,
    cluster,
    log: (topic: string): TopicLogOptions => ({ cluster, topic, clock, random, backoff: defaultBackoff }),
    run: <T>(work: () => Promise<T>) => clock.run(work(), 600_000),
    raw(topic: string, partition: number, pairs: readonly (readonly [string | null, string | null])[]) {
      const batch = buildBatch(recordsOf(pairs, clock.wallMs()))
      const leader = brokers.partition({ topic, partition }).leader!
      assert.ok(brokers.produce(leader, [{ topic, partition, batch }])[0]?.ok)
    },
  }
}

const name = 'A.checkpoints.internal'
const checkpoint = (group: string, to: bigint, metadata = ''): Checkpoint => ({
  group,
  topic: 'A.t',
  partition: 0,
  upstreamOffset: sourceOffset(to),
  downstreamOffset: targetOffset(to),
  metadata,
})

describe('the topics of MirrorMaker 2', () => {
  test('are created as it creates them, and left alone where they are', async () => {
    const { cluster, run } = scene()
    const prepare = () => prepareMirrorTopic(cluster, { name, replicationFactor: 3 }, forever)
    assert.deepEqual(await run(prepare), { kind: 'created' })
    assert.deepEqual(await run(prepare), { kind: 'there' })
    const topic = (await run(() => cluster.describeTopics([name]))).get(name)
    assert.ok(topic?.kind === 'found')
    assert.deepEqual(
      topic.topic.partitions.map(({ replicas }) => replicas.length),
      [3],
    )
    const configs = (await run(() => cluster.describeTopicConfigs([name]))).get(name)
    assert.ok(configs?.ok)
    assert.deepEqual(
      configs.value.filter(({ source }) => source === 'topic').map((entry) => [entry.name, entry.value]),
      [['cleanup.policy', 'compact']],
    )
  })

  test('what we may not create is assumed to be there; other refusals are told', async () => {
    const answering = (code: number) => {
      const error = protocolError(code, { topic: name })
      const refusing = {
        describeTopics: async () => new Map([[name, { kind: 'missing' as const }]]),
        createTopics: async () => new Map([[name, { ok: false as const, error }]]),
      }
      return prepareMirrorTopic(refusing, { name, replicationFactor: 3 }, forever)
    }
    for (const code of [29, 31, 35]) {
      const prepared = await answering(code)
      assert.ok(prepared.kind === 'assumed', `code ${code}`)
      assert.equal(prepared.error.code, code)
    }
    assert.deepEqual(await answering(36), { kind: 'there' })
    await assert.rejects(answering(38), (error) => error instanceof KafkaError && error.code === 38)
  })

  test('entries are appended in order to partition 0 and read back, and what is damaged is told with them', async () => {
    const { cluster, run, log, raw } = scene()
    await run(() => prepareMirrorTopic(cluster, { name, replicationFactor: 3, partitions: 2 }, forever))
    const topic = new MirrorTopic(checkpointCodec, log(name))
    await run(() => topic.append([], forever))
    await run(() => topic.append([checkpoint('g', 1n), checkpoint('h', 2n)], forever))
    raw(name, 0, [['x', 'y']])
    await run(() => topic.append([checkpoint('g', 3n, 'later')], forever))
    const read: [bigint, Decoded<Checkpoint>][] = []
    const end = await run(() => topic.read((entry, offset) => read.push([offset, entry]), forever))
    assert.equal(end, 4n)
    assert.deepEqual(read, [
      [0n, { kind: 'decoded', value: checkpoint('g', 1n) }],
      [1n, { kind: 'decoded', value: checkpoint('h', 2n) }],
      [
        2n,
        {
          kind: 'undecodable',
          reason: 'cut-off',
          detail: 'the length of the group needs 2 bytes, 1 are left',
        },
      ],
      [3n, { kind: 'decoded', value: checkpoint('g', 3n, 'later') }],
    ])
    const on: bigint[] = []
    assert.equal(await run(() => topic.read((_, offset) => on.push(offset), forever, 4n)), 4n)
    assert.deepEqual(on, [])
    await run(() => topic.close())
  })

  test('more than a batch holds goes in several; an entry that cannot be written keeps all back', async () => {
    const { cluster, run, log, brokers } = scene()
    await run(() => prepareMirrorTopic(cluster, { name, replicationFactor: 3 }, forever))
    const topic = new MirrorTopic(checkpointCodec, log(name))
    const many = Array.from({ length: 100 }, (_, i) => checkpoint(`g${i}`, BigInt(i), 'm'.repeat(30_000)))
    await assert.rejects(
      run(() => topic.append([...many, checkpoint('g', -1n)], forever)),
      RangeError,
    )
    assert.equal(brokers.log({ topic: name, partition: 0 }).logEnd, 0n)
    await run(() => topic.append(many, forever))
    const groups: string[] = []
    await run(() =>
      topic.read((entry) => entry.kind === 'decoded' && groups.push(entry.value.group), forever),
    )
    assert.deepEqual(
      groups,
      many.map(({ group }) => group),
    )
    await run(() => topic.close())
  })

  test('syncs and heartbeats have their own formats', async () => {
    const { cluster, run, log } = scene()
    const sync = {
      topic: 't',
      partition: 2,
      upstreamOffset: sourceOffset(5n),
      downstreamOffset: targetOffset(9n),
    }
    const beat = { source: 'A', target: 'B', timestampMs: 7n }
    for (const topic of ['syncs', 'heartbeats'])
      await run(() => prepareMirrorTopic(cluster, { name: topic, replicationFactor: 1 }, forever))
    const syncs = new MirrorTopic(offsetSyncCodec, log('syncs'))
    const beats = new MirrorTopic(heartbeatCodec, log('heartbeats'))
    await run(() => syncs.append([sync], forever))
    await run(() => beats.append([beat], forever))
    const read: unknown[] = []
    await run(() => syncs.read((entry) => read.push(entry), forever))
    await run(() => beats.read((entry) => read.push(entry), forever))
    assert.deepEqual(read, [
      { kind: 'decoded', value: sync },
      { kind: 'decoded', value: beat },
    ])
    await run(() => Promise.all([syncs.close(), beats.close()]))
  })
})

describe("Connect's topic of source offsets", () => {
  const topic = 'mm2-offsets.A.internal'
  const of = (name: string, lastCopied: bigint | undefined, connector = 'MirrorSourceConnector') => ({
    connector,
    cluster: 'A',
    topic: name,
    partition: 0,
    lastCopied: lastCopied === undefined ? undefined : sourceOffset(lastCopied),
  })
  const looked = (entry: ReturnType<typeof of>) => ({ ...entry, isLookedUp: true })
  const pair = (entry: ReturnType<typeof of>): readonly [string, string | null] => [
    encodeSourceOffsetKey(entry).toString(),
    encodeSourceOffsetValue(entry.lastCopied)?.toString() ?? null,
  ]
  const testRecords = (entry: ReturnType<typeof of>) => recordsOf([pair(entry)], 0)

  async function prepared(partitions = 5) {
    const made = scene()
    await made.run(() =>
      prepareMirrorTopic(made.cluster, { name: topic, replicationFactor: 3, partitions }, forever),
    )
    const found = () => made.run(() => readSourceOffsets(made.log(topic), forever))
    const sorted = async () => (await found()).entries.toSorted((a, b) => (a.topic < b.topic ? -1 : 1))
    return { ...made, found, sorted }
  }

  test('what is written is found, the last entry of each key, in the partition that Java chooses', async () => {
    const { run, log, sorted, found, brokers } = await prepared()
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    const first = names.map((each) => of(each, 1n))
    const last = names.map((each, i) => of(each, i === 0 ? undefined : BigInt(i)))
    await run(() => writeSourceOffsets(log(topic), first, forever))
    await run(() => writeSourceOffsets(log(topic), last, forever))
    assert.deepEqual(await sorted(), last.map(looked))
    assert.deepEqual((await found()).ambiguous, [])
    const ends = [0, 1, 2, 3, 4].map((partition) => Number(brokers.log({ topic, partition }).logEnd))
    // murmur2 of each key, by Kafka's own Utils.
    assert.deepEqual(ends, [2, 2, 6, 2, 4])
  })

  test('only what was committed counts, and an open transaction is told', async () => {
    const { brokers, found } = await prepared(1)
    const at = { topic, partition: 0 }
    const writer = new TransactionalWriter(brokers, 'connect-cluster-A-1')
    writer.append(at, testRecords(of('a', 1n)))
    writer.end('commit')
    writer.append(at, testRecords(of('a', 2n)))
    writer.end('abort')
    assert.deepEqual(await found(), {
      entries: [looked(of('a', 1n))],
      ambiguous: [],
      neverLookedUp: [],
      openTransactions: [],
    })
    writer.append(at, testRecords(of('a', 3n)))
    const open = await found()
    assert.deepEqual(open.entries, [looked(of('a', 1n))])
    assert.deepEqual(open.openTransactions, [0])
    writer.end('commit')
    assert.deepEqual((await found()).entries, [looked(of('a', 3n))])
  })

  test('others are passed over; keys in two partitions and in another order are told', async () => {
    const { raw, found } = await prepared(3)
    raw(topic, 0, [
      ['["MirrorHeartbeatConnector",{"sourceClusterAlias":"A","targetClusterAlias":"B"}]', '{"offset":0}'],
      pair(of('a', 1n)),
    ])
    raw(topic, 1, [['["MirrorSourceConnector",{"topic":"b","partition":0,"cluster":"A"}]', '{"offset":4}']])
    raw(topic, 2, [pair(of('a', 2n)), pair(of('c', 3n, 'mine'))])
    const { entries, ambiguous, neverLookedUp } = await found()
    assert.deepEqual(entries, [looked(of('a', 2n)), looked(of('c', 3n, 'mine'))])
    assert.deepEqual(ambiguous, [looked(of('a', 2n))])
    assert.deepEqual(neverLookedUp, [{ ...of('b', 4n), isLookedUp: false }])
  })

  test('a missing topic is an error that names it', async () => {
    const { run, log } = scene()
    await assert.rejects(
      run(() => readSourceOffsets(log('nowhere'), forever)),
      (error) => error instanceof KafkaError && error.code === 3 && error.message.includes('nowhere'),
    )
  })
})
