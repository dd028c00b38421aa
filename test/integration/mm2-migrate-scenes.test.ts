import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Admin, Kafka, Producer } from 'kafkajs'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import { loadConfig } from '../../replicator/config/load-config.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { TopicLog } from '../../replicator/kafka/topic-log.ts'
import { prepareMirrorTopic } from '../../replicator/offsets/mm2/prepare-topic.ts'
import { encodeSourceOffsetKey, encodeSourceOffsetValue } from '../../replicator/offsets/mm2/source-offset.ts'
import { readSourceOffsets, writeSourceOffsets } from '../../replicator/offsets/mm2/source-offsets-topic.ts'
import { migrateFrom, migrateTo, mirrorMakerOf } from '../../replicator/processes/migrate.ts'
import type { DecodedRecord } from '../../replicator/records/decode.ts'
import { sourceOffset } from '../../replicator/records/offsets.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { createTopics } from './create-topics.ts'
import { testBrokers } from './flow-pair.ts'
import { ReplicateProcess, until } from './replicate-process.ts'

const id = randomUUID().slice(0, 8)
const alias = `m${id}`
const offsetsTopic = `mm2-offsets.${alias}.internal`
const bootstrap = {
  source: testBrokers('CAUSEWAY_TEST_SOURCE'),
  target: testBrokers('CAUSEWAY_TEST_TARGET'),
}
const forever = new AbortController().signal
/** Retention must not take them. */
const epochMs = systemClock.wallMs() - 600_000

/** What a topic of one partition holds on both sides, a letter a record; equal letters are equal records. */
interface Scene {
  readonly source: string
  /** Of the source, written in a transaction that is aborted or committed: letters of them. */
  readonly aborted?: string
  /** What MirrorMaker 2 copied; `undefined`: there is no copy. */
  readonly copied?: string
  /** The last source offset that it has stored. */
  readonly stored?: number
  readonly targetConfigs?: Readonly<Record<string, string>>
  /** Records that are deleted at the copy's start. */
  readonly cut?: number
  readonly expected: object
  /** Written to the copy by somebody else between the plan and the takeover, which is refused then. */
  readonly disturbed?: string
  /** What the copy holds in the end. */
  readonly end: string
}

const taken = (storedNext: bigint | undefined, beyond: number, sourceNext: bigint) => ({
  ...{ kind: 'taken', storedNext, beyond, sourceNext },
})

const scenes: Readonly<Record<string, Scene>> = {
  trailing: { source: 'abcdefgh', copied: 'abcde', stored: 2, expected: taken(3n, 2, 5n), end: 'abcdefgh' },
  exact: { source: 'abcdefgh', copied: 'abcde', stored: 4, expected: taken(5n, 0, 5n), end: 'abcdefgh' },
  done: { source: 'abc', copied: 'abc', stored: 2, expected: taken(3n, 0, 3n), end: 'abc' },
  restarted: {
    ...{ source: 'abcdefgh', copied: 'abcdefcd', stored: 2 },
    ...{ expected: taken(3n, 3, 6n), end: 'abcdefcdgh' },
  },
  'not-stored': {
    ...{ source: 'abcdef', copied: 'abc' },
    ...{ expected: taken(undefined, 3, 3n), end: 'abcdef' },
  },
  'not-copied': { source: 'abc', expected: { kind: 'not-copied' }, end: 'abc' },
  twins: {
    ...{ source: 'abxxxx', copied: 'abxx', stored: 1, end: 'abxx' },
    expected: { kind: 'refused', reason: /source offset 3 is equal to others/ },
  },
  'twins-before': {
    ...{ source: 'axxxxb', copied: 'axxxx', stored: 4 },
    ...{ expected: taken(5n, 0, 5n), end: 'axxxxb' },
  },
  // It copies what was aborted; offset 4 is a marker.
  transactions: {
    ...{ source: 'abCDef', aborted: 'CD', copied: 'abCDe', stored: 1 },
    ...{ expected: taken(2n, 1, 6n), end: 'abCDef' },
  },
  compacted: {
    ...{ source: 'abcdefgh', copied: 'adf', stored: 3, targetConfigs: { 'cleanup.policy': 'compact' } },
    ...{ expected: taken(4n, 2, 6n), end: 'adfgh' },
  },
  stamped: {
    source: 'abcdefgh',
    ...{ copied: 'abcdef', stored: 3, targetConfigs: { 'message.timestamp.type': 'LogAppendTime' } },
    ...{ expected: taken(4n, 2, 6n), end: 'abcdefgh' },
  },
  cut: {
    ...{ source: 'abcdefgh', copied: 'abcdef', stored: 1, cut: 3 },
    ...{ expected: taken(2n, 4, 6n), end: 'defgh' },
  },
  other: {
    ...{ source: 'abcd', copied: 'wxyz', stored: 2, end: 'wxyz' },
    expected: { kind: 'refused', reason: /says that it copied .* offset 2, and the target does not hold it/ },
  },
  disturbed: {
    ...{ source: 'abcdef', copied: 'abc', stored: 1, disturbed: 'd' },
    ...{ expected: taken(2n, 1, 3n), end: 'abcd' },
  },
  'cut-source': {
    ...{ source: 'abc', copied: 'abc', stored: 7, end: 'abc' },
    expected: { kind: 'refused', reason: /offset 8 is next, and the source ends at 3/ },
  },
}
const isRefused = (name: string): boolean => {
  const { expected, disturbed } = scenes[name] ?? assert.fail(name)
  return disturbed !== undefined || 'reason' in expected
}
const topicOf = (scene: string): string => `${scene}-${id}`

const properties = `
clusters = ${alias}, t${id}
${alias}.bootstrap.servers = ${bootstrap.source}
t${id}.bootstrap.servers = ${bootstrap.target}
${alias}->t${id}.enabled = true
${alias}->t${id}.topics = .*-${id}
${alias}->t${id}.heartbeats.replication.enabled = false
emit.heartbeats.enabled = false
emit.checkpoints.enabled = false
emit.offset-syncs.enabled = false
replication.factor = 1
causeway.name = scenes-${id}
causeway.shards = 2
causeway.http.port = 0
causeway.http.host = 127.0.0.1
`

describe('what a MirrorMaker 2 left behind', { timeout: 200_000 }, () => {
  let folder: string
  let file: string
  let clients: { readonly source: Kafka; readonly target: Kafka }
  let admins: { readonly source: Admin; readonly target: Admin }
  const open: { disconnect(): Promise<void> }[] = []
  let replicate: ReplicateProcess | undefined
  const cluster = createKafkaCluster({
    alias: regionAlias('target'),
    settings: { clientId: 'migrate-test', bootstrap: bootstrap.target },
    clock: systemClock,
    random: systemRandom,
  })
  const log = {
    ...{ cluster, topic: offsetsTopic, backoff: defaultBackoff },
    ...{ clock: systemClock, random: systemRandom },
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'causeway-migrate-'))
    file = join(folder, 'mm2.properties')
    await writeFile(file, properties)
    clients = {
      source: kafkajsClient('migrate', bootstrap.source),
      target: kafkajsClient('migrate', bootstrap.target),
    }
    admins = { source: clients.source.admin(), target: clients.target.admin() }
    await Promise.all([admins.source.connect(), admins.target.connect()])
    await makeScenes()
  })
  after(async () => {
    await replicate?.kill()
    await Promise.all(open.map((one) => one.disconnect()))
    // Other tests look at every topic of the shared brokers.
    for (const admin of Object.values(admins ?? {})) {
      const topics = (await admin.listTopics()).filter((name: string) => name.includes(id))
      if (topics.length > 0) await admin.deleteTopics({ topics }).catch(() => {})
      await admin.disconnect()
    }
    await cluster.close()
    await rm(folder, { recursive: true, force: true })
  })

  async function connected(producer: Producer): Promise<Producer> {
    await producer.connect()
    open.push(producer)
    return producer
  }

  const messageOf = (letter: string) => ({
    ...{ partition: 0, key: `key ${letter}`, value: `value ${letter}`, headers: { letter } },
    timestamp: String(Math.floor(epochMs) + letter.charCodeAt(0)),
  })

  async function makeScenes(): Promise<void> {
    const [source, target] = await Promise.all([
      connected(clients.source.producer()),
      connected(clients.target.producer()),
    ])
    const all = Object.entries(scenes)
    await createTopics(
      admins.source,
      all.map(([name]) => ({ topic: topicOf(name) })),
    )
    await createTopics(
      admins.target,
      all
        .filter(([, { copied }]) => copied !== undefined)
        .map(([name, { targetConfigs = {} }]) => ({
          topic: `${alias}.${topicOf(name)}`,
          configEntries: Object.entries(targetConfigs).map(([key, value]) => ({ name: key, value })),
        })),
    )
    for (const [name, { source: letters, aborted, copied, cut }] of all) {
      const topic = topicOf(name)
      const messages = (of: string) => [...of].map(messageOf)
      if (aborted === undefined) await source.send({ topic, messages: messages(letters) })
      else await writeWithAborted(topic, letters, aborted)
      const copy = `${alias}.${topic}`
      if (copied !== undefined) await target.send({ topic: copy, messages: messages(copied) })
      if (cut !== undefined)
        await admins.target.deleteTopicRecords({
          topic: copy,
          partitions: [{ partition: 0, offset: String(cut) }],
        })
    }
    await prepareMirrorTopic(cluster, { name: offsetsTopic, replicationFactor: 1, partitions: 3 }, forever)
    const offsets = all.flatMap(([name, { stored }]) =>
      stored === undefined ? [] : [{ ...keyOf(name), lastCopied: sourceOffset(BigInt(stored)) }],
    )
    await writeSourceOffsets(log, offsets, forever)
  }

  async function writeWithAborted(topic: string, letters: string, aborted: string): Promise<void> {
    const producer = await connected(
      clients.source.producer({ transactionalId: topic, maxInFlightRequests: 1, idempotent: true }),
    )
    const from = letters.indexOf(aborted)
    const plain = await connected(clients.source.producer())
    const messages = (of: string) => [...of].map(messageOf)
    await plain.send({ topic, messages: messages(letters.slice(0, from)) })
    const transaction = await producer.transaction()
    await transaction.send({ topic, messages: messages(aborted) })
    await transaction.abort()
    // Brokers answer before they have written the marker.
    await until('the marker', async () => {
      const [{ high } = { high: '0' }] = await admins.source.fetchTopicOffsets(topic)
      return Number(high) > from + aborted.length || undefined
    })
    await plain.send({ topic, messages: messages(letters.slice(from + aborted.length)) })
  }

  const store = async (scene: string, lastCopied: bigint | undefined) => {
    const last = lastCopied === undefined ? undefined : sourceOffset(lastCopied)
    await writeSourceOffsets(log, [{ ...keyOf(scene), lastCopied: last }], forever)
  }
  const keyOf = (scene: string) => ({
    ...{ connector: 'MirrorSourceConnector', cluster: alias },
    ...{ topic: topicOf(scene), partition: 0 },
  })

  function flowOfFile() {
    const loaded = loadConfig({ path: file, readFile: (path) => readFileSync(path), environment: {} })
    assert.ok(loaded.ok, JSON.stringify(loaded))
    const { config } = loaded
    const [flow] = config.topology.flows
    assert.ok(flow)
    const mirrorMaker = mirrorMakerOf(config, flow, {})
    assert.ok(mirrorMaker)
    assert.equal(mirrorMaker.offsetsTopic, offsetsTopic)
    return { options: { config, flow, clock: systemClock, random: systemRandom }, mirrorMaker }
  }

  async function from(confirm: () => Promise<boolean>) {
    const { options, mirrorMaker } = flowOfFile()
    const request = { mirrorMaker, assumeStopped: true, confirm }
    return byScene(await migrateFrom(options, request, forever))
  }
  async function to(confirm = true) {
    const { options, mirrorMaker } = flowOfFile()
    const request = { mirrorMaker, assumeStopped: true, confirm: async () => confirm }
    return byScene(await migrateTo(options, request, forever))
  }
  function byScene<T extends { readonly topic: string }>(partitions: readonly T[]): ReadonlyMap<string, T> {
    return new Map(partitions.map((one) => [one.topic.slice(0, -id.length - 1), one]))
  }

  const planned = async () => await from(async () => false)
  const carriedOut = async () => await from(async () => true)

  async function disturb(): Promise<void> {
    const producer = await connected(clients.target.producer())
    for (const [name, { disturbed }] of Object.entries(scenes)) {
      if (disturbed === undefined) continue
      const messages = [...disturbed].map(messageOf)
      await producer.send({ topic: `${alias}.${topicOf(name)}`, messages })
    }
  }

  function isAsExpected(found: Awaited<ReturnType<typeof from>>, isDisturbed = false): void {
    assert.deepEqual([...found.keys()].toSorted(), Object.keys(scenes).toSorted())
    for (const [name, { expected: plan, disturbed }] of Object.entries(scenes)) {
      const expected =
        isDisturbed && disturbed !== undefined
          ? { reason: /^a record came to its copy while it was taken over/ }
          : plan
      const { topic, partition, targetTopic, ...outcome } = { ...found.get(name) } as Record<string, unknown>
      assert.deepEqual([topic, partition, targetTopic], [topicOf(name), 0, `${alias}.${topicOf(name)}`])
      if ('reason' in expected) assert.match(String(outcome.reason), expected.reason as RegExp, name)
      else assert.deepEqual(outcome, expected, name)
    }
  }

  /** Letters of a copy; none while there is none. */
  async function lettersOf(topic: string): Promise<string> {
    if ((await cluster.describeTopics([topic])).get(topic)?.kind !== 'found') return ''
    const reader = new TopicLog({ ...log, topic, isolation: 'read_committed' })
    const records: DecodedRecord[] = []
    const { start } = await reader
      .read(0, (record) => records.push(record), forever)
      .finally(() => reader.close())
    // A log may begin inside a batch.
    const visible = records.filter(({ offset }) => offset >= start)
    return visible.map(({ key }) => String(key).slice(-1)).join('')
  }

  test('while a worker has a transaction open, nothing is believed', async () => {
    const worker = await connected(
      clients.target.producer({ transactionalId: alias, maxInFlightRequests: 1, idempotent: true }),
    )
    const transaction = await worker.transaction()
    const value = encodeSourceOffsetValue(sourceOffset(7n))
    const key = encodeSourceOffsetKey(keyOf('trailing'))
    await transaction.send({ topic: offsetsTopic, messages: [{ key, value }] })
    await assert.rejects(carriedOut(), /has an open transaction: MirrorMaker 2 still writes/)
    await transaction.abort()
    await until('the marker', async () => (await planned().catch(() => undefined)) && true)
  })

  test('is found, and a plan changes nothing', async () => {
    isAsExpected(await planned())
    assert.ok(!(await admins.target.listTopics()).includes(`causeway.scenes-${id}.progress`))
  })

  test('is taken over, and copying goes on there', async () => {
    const found = await from(async () => {
      await disturb()
      return true
    })
    isAsExpected(found, true)
    replicate = ReplicateProcess.startOn(file)
    for (const [name, { end }] of Object.entries(scenes)) {
      const copy = `${alias}.${topicOf(name)}`
      let seen = ''
      await until(
        `${copy} is ${end}`,
        async () => {
          seen = await lettersOf(copy)
          assert.ok(end.startsWith(seen), `${copy} is to be ${end}, and is ${seen}`)
          return seen === end || undefined
        },
        () => `it is ${seen}\n${replicate?.text.slice(-3000)}`,
      )
    }
    await replicate.ready()
    for (const [name, { end }] of Object.entries(scenes))
      assert.equal(await lettersOf(`${alias}.${topicOf(name)}`), end, name)
    const { body } = await replicate.health('/healthz')
    const { stopped } = body.flows[0] as unknown as { stopped: { topic: string; reason: string }[] }
    const refused = Object.keys(scenes).filter(isRefused)
    assert.deepEqual(stopped.map(({ topic }) => topic).toSorted(), refused.map(topicOf).toSorted())
    for (const { reason } of stopped) assert.match(reason, /^it was not taken over from MirrorMaker 2: /)
    await replicate.stop()
  })

  test('what was refused is looked at once more, and what is ours is left alone', async () => {
    for (const [name, outcome] of await planned()) {
      if (name === 'disturbed')
        assert.deepEqual([outcome.kind, 'beyond' in outcome && outcome.beyond], ['taken', 2])
      else assert.equal(outcome.kind, isRefused(name) ? 'refused' : 'ours', name)
    }
    await store('exact', 8n)
    const since = (await planned()).get('exact')
    assert.ok(since?.kind === 'refused')
    assert.match(since.reason, /has copied it since .* offset 9 is next, Causeway goes on at \d$/)
    await store('exact', 4n)
  })

  test('goes back to a MirrorMaker 2, once', async () => {
    await store('not-copied', 99n)
    const ahead = (await to(false)).get('not-copied')
    assert.ok(ahead?.kind === 'refused')
    assert.match(ahead.reason, /source offset 100 is next, beyond our 3: it has copied meanwhile/)
    await store('not-copied', undefined)

    const handed = await to()
    const stored = async () => {
      const { entries } = await readSourceOffsets(log, forever)
      return new Map(entries.map(({ topic, lastCopied }) => [topic, lastCopied]))
    }
    const ends = await stored()
    for (const [name, { source }] of Object.entries(scenes)) {
      const outcome = handed.get(name)
      if (isRefused(name)) {
        assert.equal(outcome?.kind, 'mirror-makers', name)
        continue
      }
      // One more than there are letters: a marker.
      const end = BigInt(source.length + (name === 'transactions' ? 1 : 0))
      assert.ok(outcome?.kind === 'handed-over', name)
      assert.equal(outcome.sourceNext, end, name)
      assert.equal(ends.get(topicOf(name)), end - 1n, name)
    }
    for (const [name, outcome] of await to()) assert.equal(outcome.kind, 'mirror-makers', name)

    // It may have been killed before it stored the offsets.
    await store('exact', 4n)
    const again = (await to()).get('exact')
    assert.ok(again?.kind === 'handed-over')
    assert.deepEqual([again.storedNext, again.sourceNext], [5n, 8n])
    assert.deepEqual(await stored(), ends)
  })

  test('and is left to it, until it is taken back', async () => {
    replicate = ReplicateProcess.startOn(file)
    const running = replicate
    await until('all have stopped', async () => {
      const { body } = await running.health('/healthz')
      const { stopped } = body.flows[0] as unknown as { stopped: { reason: string }[] }
      return stopped.length === Object.keys(scenes).length || undefined
    })
    const { body } = await running.health('/healthz')
    const { stopped } = body.flows[0] as unknown as { stopped: { topic: string; reason: string }[] }
    const handed = stopped.filter(({ reason }) => reason === 'it was handed over to MirrorMaker 2')
    assert.equal(handed.length, Object.keys(scenes).filter((name) => !isRefused(name)).length)
    await running.stop()
    for (const [name, outcome] of await carriedOut()) {
      const isTaken = name === 'disturbed' || !isRefused(name)
      assert.equal(outcome.kind, isTaken ? 'taken' : 'refused', name)
      if (outcome.kind === 'taken' && name !== 'disturbed') assert.equal(outcome.beyond, 0, name)
    }
  })
})
