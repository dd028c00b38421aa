import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Admin, Kafka, Producer } from 'kafkajs'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { runCommand } from '../../replicator/local/run-command.ts'
import { readSourceOffsets } from '../../replicator/offsets/mm2/source-offsets-topic.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { readFingerprints, readRecords } from '../kill/read-records.ts'
import { compareSequences } from '../kill/sequence-check.ts'
import { createTopics } from './create-topics.ts'
import { testBrokers } from './flow-pair.ts'
import { RealMirrorMaker } from './real-mirror-maker.ts'
import { causewayCommand, ReplicateProcess, until } from './replicate-process.ts'

const id = randomUUID().slice(0, 8)
const [A, B] = [`a${id}`, `b${id}`]
const topic = `orders-${id}`
const copy = `${A}.${topic}`
const partitions = [0, 1]
const bootstrap = {
  source: testBrokers('CAUSEWAY_TEST_SOURCE'),
  target: testBrokers('CAUSEWAY_TEST_TARGET'),
}

const properties = `
clusters = ${A}, ${B}
${A}.bootstrap.servers = ${bootstrap.source}
${B}.bootstrap.servers = ${bootstrap.target}
${A}->${B}.enabled = true
${A}->${B}.topics = ${topic}
${A}->${B}.heartbeats.replication.enabled = false
${A}->${B}.groups = group-${id}
${A}->${B}.refresh.groups.interval.seconds = 1
${A}->${B}.emit.checkpoints.interval.seconds = 1
${A}->${B}.sync.group.offsets.enabled = true
${A}->${B}.sync.group.offsets.interval.seconds = 1
${B}->${A}.emit.heartbeats.enabled = false
${B}.offset.flush.interval.ms = 4000
# A killed worker is still a member until then.
${B}.session.timeout.ms = 6000
${B}.heartbeat.interval.ms = 2000
${B}.scheduled.rebalance.max.delay.ms = 0
${B}.plugin.discovery = service_load
plugin.discovery = service_load
replication.factor = 1
checkpoints.topic.replication.factor = 1
heartbeats.topic.replication.factor = 1
offset-syncs.topic.replication.factor = 1
offset.storage.replication.factor = 1
config.storage.replication.factor = 1
status.storage.replication.factor = 1
causeway.name = mig-${id}
causeway.shards = 2
causeway.http.port = 0
causeway.http.host = 127.0.0.1
`

interface MigratedPartition {
  readonly topic: string
  readonly partition: number
  readonly targetTopic: string
  readonly kind: string
  readonly storedNext?: string
  readonly sourceNext: string
  readonly beyond: number
}

describe('from a MirrorMaker 2 that was killed under load, and back', { timeout: 240_000 }, () => {
  let folder: string
  let file: string
  let clients: { readonly source: Kafka; readonly target: Kafka }
  let admins: { readonly source: Admin; readonly target: Admin }
  let producer: Producer
  let mirrorMaker: RealMirrorMaker | undefined
  let replicate: ReplicateProcess | undefined
  const connect = (side: 'source' | 'target') =>
    createKafkaCluster({
      alias: regionAlias(side),
      settings: { clientId: 'migrate-test', bootstrap: bootstrap[side] },
      clock: systemClock,
      random: systemRandom,
    })
  const cluster = connect('target')
  const sourceCluster = connect('source')
  const loads: { stop(): Promise<void> }[] = []

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'causeway-migrate-'))
    file = join(folder, 'mm2.properties')
    await writeFile(file, properties)
    clients = {
      source: kafkajsClient('migrate', bootstrap.source),
      target: kafkajsClient('migrate', bootstrap.target),
    }
    admins = { source: clients.source.admin(), target: clients.target.admin() }
    producer = clients.source.producer({ maxInFlightRequests: 1 })
    await Promise.all([admins.source.connect(), admins.target.connect(), producer.connect()])
    await createTopics(admins.source, [{ topic, numPartitions: partitions.length }])
  })
  after(async () => {
    await Promise.all(loads.map((one) => one.stop().catch(() => {})))
    await mirrorMaker?.kill()
    await replicate?.kill()
    // Other tests look at every topic of the shared brokers.
    for (const admin of Object.values(admins ?? {})) {
      const topics = (await admin.listTopics()).filter((name: string) => name.includes(id))
      if (topics.length > 0) await admin.deleteTopics({ topics }).catch(() => {})
      await admin.disconnect()
    }
    await producer?.disconnect()
    await Promise.all([cluster.close(), sourceCluster.close()])
    await rm(folder, { recursive: true, force: true })
  })

  const group = `group-${id}`
  const commit = async (offset: number): Promise<void> => {
    const at = { topic, partition: 0, offset: BigInt(offset), metadata: '', leaderEpoch: undefined }
    assert.equal((await sourceCluster.commitGroupOffsets(group, [at])).kind, 'answered')
  }
  const committed = async (): Promise<bigint | undefined> => {
    const queries = [{ group, partitions: [{ topic: copy, partition: 0 }] }]
    const [answer] = await cluster.groupOffsets(queries, { requireStable: false })
    assert(answer?.result.ok)
    const [at] = answer.result.value
    return at?.result.ok === true ? at.result.value?.offset : undefined
  }

  let written = 0
  /** Writes to both partitions until it is stopped. */
  function load(): { stop(): Promise<void> } {
    let isStopped = false
    const work = async () => {
      while (!isStopped) {
        for (const partition of partitions) {
          const messages = Array.from({ length: 5 }, () => ({
            ...{ partition, key: `key ${written % 17}`, value: `value ${written++}` },
            headers: { trace: String(written) },
          }))
          await producer.send({ topic, messages, acks: -1 })
        }
        await delay(10)
      }
    }
    const working = work()
    working.catch(() => {})
    const started = {
      stop: () => {
        isStopped = true
        return working
      },
    }
    loads.push(started)
    return started
  }

  async function migrate(way: 'from-mm2' | 'to-mm2', ...args: readonly string[]) {
    const outcome = await runCommand(
      process.execPath,
      [causewayCommand, 'migrate', way, '-c', file, '--json', ...args],
      {},
      AbortSignal.timeout(60_000),
    )
    return { ...outcome, partitions: () => partitionsOf(outcome.stdout, outcome.stderr) }
  }

  /** The last source offset that MirrorMaker 2 has stored of each partition. */
  async function stored(): Promise<ReadonlyMap<number, bigint>> {
    const topicOfOffsets = `mm2-offsets.${A}.internal`
    if (!(await admins.target.listTopics()).includes(topicOfOffsets)) return new Map()
    const { entries } = await readSourceOffsets(
      {
        ...{ cluster, topic: topicOfOffsets, backoff: defaultBackoff },
        ...{ clock: systemClock, random: systemRandom },
      },
      new AbortController().signal,
    )
    return new Map(
      entries.flatMap(({ topic: name, partition, lastCopied }) =>
        name === topic && lastCopied !== undefined ? [[partition, lastCopied]] : [],
      ),
    )
  }

  async function ends(side: 'source' | 'target'): Promise<ReadonlyMap<number, number>> {
    const name = side === 'source' ? topic : copy
    const offsets = await admins[side].fetchTopicOffsets(name).catch(() => [])
    return new Map(offsets.map(({ partition, high }) => [partition, Number(high)]))
  }

  /** Waits until everything is copied, then compares both sides record by record. */
  async function exact(): Promise<void> {
    await until(
      'a whole copy',
      async () => {
        const counted = [...(await ends('target')).values()].reduce((sum, end) => sum + end, 0)
        // Markers count, too: reading tells.
        if (counted < written) return undefined
        const copied = [...(await readFingerprints(clients.target, [copy])).values()]
        return copied.reduce((sum, records) => sum + records.length, 0) >= written || undefined
      },
      () => `${mirrorMaker?.said.slice(-3000)}\n${replicate?.text.slice(-3000)}`,
    )
    const from = await readFingerprints(clients.source, [topic])
    const to = await readFingerprints(clients.target, [copy])
    for (const partition of partitions) {
      const difference = compareSequences(
        from.get(`${topic}/${partition}`) ?? [],
        to.get(`${copy}/${partition}`) ?? [],
      )
      const none = { lost: 0, duplicated: 0, foreign: 0, reordered: 0, firstAt: undefined }
      assert.deepEqual(difference, none, `partition ${partition}`)
    }
  }

  async function grows(side: 'source' | 'target', records: number): Promise<void> {
    const from = await ends(side)
    await until(`${records} more records on the ${side}`, async () => {
      const now = await ends(side)
      return partitions.every((one) => (now.get(one) ?? 0) >= (from.get(one) ?? 0) + records) || undefined
    })
  }

  test('nothing is copied twice or left out, and in order', async () => {
    const first = load()
    mirrorMaker = await RealMirrorMaker.start(file)
    await until(
      'offsets are stored',
      async () => (await stored()).size === partitions.length || undefined,
      () => mirrorMaker?.said ?? '',
    )
    const running = await migrate('from-mm2', '--dry-run')
    assert.equal(running.code, 1, running.stdout)
    assert.match(running.stderr, /seems to be at work on .*(grows|heartbeats|has a member|are stored)/)

    await grows('target', 20)
    await commit((await ends('source')).get(0) ?? 0)
    await until(
      'MirrorMaker 2 has moved the group',
      async () => (await committed()) !== undefined || undefined,
    )
    await mirrorMaker.kill()
    const [before, copied] = [await stored(), await ends('target')]

    const planned = await migrate('from-mm2', '--dry-run')
    assert.equal(planned.code, 0, planned.stderr)
    assert.ok(!(await admins.target.listTopics()).includes(`causeway.mig-${id}.progress`), 'nothing is made')
    assert.deepEqual(await ends('target'), copied)

    const taken = await migrate('from-mm2', '--yes', '--assume-stopped')
    assert.equal(taken.code, 0, taken.stderr)
    assert.deepEqual(taken.partitions(), planned.partitions())
    for (const one of taken.partitions()) {
      const last = before.get(one.partition) ?? -1n
      // MirrorMaker 2 was started once: its copy holds no marker and nothing twice.
      const there = copied.get(one.partition) ?? 0
      assert.deepEqual(
        { ...one },
        {
          ...{ topic, partition: one.partition, targetTopic: copy, kind: 'taken' },
          ...{ storedNext: String(last + 1n), beyond: there - Number(last) - 1, sourceNext: String(there) },
        },
      )
      assert.ok(one.beyond >= 20, `${one.beyond} records were found beyond what was stored`)
    }
    assert.equal(taken.partitions().length, partitions.length)

    const { flows } = JSON.parse(taken.stdout) as { flows: { adopted: object[] }[] }
    assert.deepEqual(
      flows.flatMap(({ adopted }) => adopted),
      [{ topic, partition: 0, targetTopic: copy, group, offset: String(await committed()), metadata: '' }],
    )

    replicate = ReplicateProcess.startOn(file)
    await replicate.ready()
    await grows('target', 50)
    await first.stop()
    await exact()
    await commit((await ends('source')).get(0) ?? 0)
    const last = (await readRecords(clients.target, [copy])).get(`${copy}/0`)?.at(-1)?.offset
    await until(
      'the group is followed from where MirrorMaker 2 left it',
      async () => (await committed()) === (last ?? 0n) + 1n || undefined,
      () => replicate?.text ?? '',
    )

    const second = load()
    await grows('target', 20)
    const busy = await migrate('to-mm2', '--yes')
    assert.equal(busy.code, 1)
    assert.match(busy.stderr, /seems to be at work on .*(heartbeats|"causeway\.mig-.* has a member)/)
    await replicate.stop()
    const handed = await migrate('to-mm2', '--yes')
    assert.equal(handed.code, 0, handed.stderr)
    assert.deepEqual(
      handed.partitions().map(({ kind }) => kind),
      ['handed-over', 'handed-over'],
    )

    mirrorMaker = await RealMirrorMaker.start(file)
    await grows('target', 50)
    await second.stop()
    await exact()
    await mirrorMaker.stop()

    const back = await migrate('from-mm2', '--yes')
    assert.equal(back.code, 0, back.stderr)
    const [now, end] = [await stored(), await ends('source')]
    assert.deepEqual(
      back.partitions().map(({ kind, beyond, sourceNext }) => ({ kind, beyond, sourceNext })),
      partitions.map((one) => ({ kind: 'taken', beyond: 0, sourceNext: String((now.get(one) ?? 0n) + 1n) })),
    )
    assert.deepEqual(
      back.partitions().map(({ sourceNext }) => Number(sourceNext)),
      partitions.map((one) => end.get(one)),
    )
  })
})

function partitionsOf(stdout: string, stderr: string): readonly MigratedPartition[] {
  assert.notEqual(stdout, '', stderr)
  const { flows } = JSON.parse(stdout) as { flows: { partitions: MigratedPartition[] }[] }
  return flows.flatMap((flow) => flow.partitions)
}
