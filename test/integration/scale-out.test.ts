import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Kafka } from 'kafkajs'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { exitCode } from '../../replicator/cli/exit-codes.ts'
import { shardOf } from '../../replicator/shards/shard-of.ts'
import { readFingerprints } from '../kill/read-records.ts'
import { compareSequences } from '../kill/sequence-check.ts'
import { createTopics } from './create-topics.ts'
import { testBrokers } from './flow-pair.ts'
import { ReplicateProcess, until } from './replicate-process.ts'

const partitions = 12
const shards = 4
const allShards = Array.from({ length: shards }, (_, shard) => shard)

let scratch: string
let source: Kafka
let target: Kafka
const running: ReplicateProcess[] = []
const loads: Load[] = []

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'causeway-scale-out-'))
  source = kafkajsClient('scale-out', testBrokers('CAUSEWAY_TEST_SOURCE'))
  target = kafkajsClient('scale-out', testBrokers('CAUSEWAY_TEST_TARGET'))
})

after(async () => {
  for (const load of loads) await load.stop()
  for (const replica of running) {
    replica.child.kill('SIGCONT')
    await replica.kill()
  }
  await rm(scratch, { recursive: true, force: true })
})

/** A new topic with partitions for every shard. */
async function newTopic(): Promise<string> {
  for (;;) {
    const topic = `scale-out-${randomUUID().slice(0, 8)}`
    const used = new Set(
      Array.from({ length: partitions }, (_, partition) => shardOf(topic, partition, shards)),
    )
    if (used.size < shards) continue
    const admin = source.admin()
    await admin.connect()
    await createTopics(admin, [{ topic, numPartitions: partitions }])
    await admin.disconnect()
    return topic
  }
}

function topology(topic: string, replicas: object): object {
  return {
    name: `scale-${randomUUID().slice(0, 8)}`,
    pattern: 'active-passive',
    regions: {
      'us-east': { role: 'active', bootstrap: [...testBrokers('CAUSEWAY_TEST_SOURCE')] },
      'eu-west': { role: 'passive', bootstrap: [...testBrokers('CAUSEWAY_TEST_TARGET')] },
    },
    topics: [{ name: topic }],
    replication: { shards },
    replicas,
  }
}

async function start(config: object, env: Record<string, string> = {}): Promise<ReplicateProcess> {
  const replica = await ReplicateProcess.start(await mkdtemp(join(scratch, 'replica-')), config, { env })
  running.push(replica)
  return replica
}

/** Writes to every partition in turn until it is stopped. */
class Load {
  readonly #working: Promise<void>
  #isStopped = false
  acknowledged = 0

  constructor(topic: string) {
    this.#working = this.#write(topic)
    this.#working.catch(() => {})
    loads.push(this)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#working
  }

  async #write(topic: string): Promise<void> {
    const producer = source.producer({ maxInFlightRequests: 1 })
    await producer.connect()
    for (let round = 0; !this.#isStopped; round++) {
      const messages = Array.from({ length: 10 }, (_, i) => ({
        partition: round % partitions,
        key: `key ${i}`,
        value: `${round} ${i}`,
        headers: { round: String(round) },
      }))
      await producer.send({ topic, acks: -1, messages })
      this.acknowledged += messages.length
      await delay(5)
    }
    await producer.disconnect()
  }
}

interface Share {
  readonly shards: readonly number[]
  /** Partitions that run. */
  readonly running: number
}

/** What a replica says it has; nothing while it does not answer. */
async function shareOf(replica: ReplicateProcess): Promise<Share> {
  const none = { shards: [], running: 0 }
  const port = replica.log.find(({ event }) => event === 'started')?.port
  if (port === undefined) return none
  try {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(2000) })
    const { flows } = (await response.json()) as {
      flows: { shards: readonly number[]; partitions: { running: number } }[]
    }
    return flows[0] === undefined ? none : { shards: flows[0].shards, running: flows[0].partitions.running }
  } catch {
    return none
  }
}

const shardsOf = async (replica: ReplicateProcess) => (await shareOf(replica)).shards

/** Waits until these replicas share all shards evenly, each shard with one of them, and all partitions run. */
async function shared(what: string, replicas: readonly ReplicateProcess[]): Promise<void> {
  let last: readonly Share[] = []
  await until(
    what,
    async () => {
      last = await Promise.all(replicas.map(shareOf))
      const sizes = last.map((share) => share.shards.length)
      const all = last.flatMap((share) => share.shards)
      const isShared = all.length === shards && new Set(all).size === shards
      const isEven = Math.max(...sizes) - Math.min(...sizes) <= 1
      return (
        (isShared && isEven && last.reduce((sum, { running }) => sum + running, 0) === partitions) ||
        undefined
      )
    },
    () => `${JSON.stringify(last)}\n${replicas.map(({ text }) => text.slice(-3000)).join('\n---\n')}`,
  )
}

/** Changes who is there, and sees that what `stays` has before and after was not touched in between. */
async function change(
  what: string,
  topic: string,
  stays: ReplicateProcess,
  act: () => Promise<readonly ReplicateProcess[]>,
): Promise<void> {
  const had = await shardsOf(stays)
  const before = allShards.map((shard) => starts(stays, topic, shard))
  await shared(what, [stays, ...(await act())])
  const kept = (await shardsOf(stays)).filter((shard) => had.includes(shard))
  assert.ok(kept.length > 0, what)
  for (const shard of kept)
    assert.equal(starts(stays, topic, shard), before[shard], `${what}: shard ${shard}\n${stays.text}`)
}

/** How often the replica has started partitions of a shard. */
const starts = ({ log }: ReplicateProcess, topic: string, shard: number): number =>
  log.filter(
    ({ event, partition }) =>
      event === 'partition-started' && shardOf(topic, Number(partition), shards) === shard,
  ).length

/** Waits until the replica has forwarded something since now. */
async function forwards(replica: ReplicateProcess): Promise<void> {
  const records = async () => (await replica.health('/healthz')).body.flows[0]?.records ?? 0
  const from = await records()
  await until(
    'it forwards',
    async () => (await records()) > from || undefined,
    () => replica.text.slice(-3000),
  )
}

async function assertExactCopy(topic: string, records: number): Promise<void> {
  const count = (all: ReadonlyMap<string, readonly string[]>) =>
    [...all.values()].reduce((sum, { length }) => sum + length, 0)
  const from = await readFingerprints(source, [topic])
  assert.equal(count(from), records)
  const ends = async () => {
    const admin = target.admin()
    await admin.connect()
    const offsets = await admin.fetchTopicOffsets(topic)
    await admin.disconnect()
    return offsets
  }
  // Markers of takeovers take offsets too, so only reading tells when everything is there.
  const to = await until(
    'the copy is whole',
    async () => {
      const read = await readFingerprints(target, [topic])
      return count(read) >= records ? read : undefined
    },
    () => running.map(({ text }) => text.slice(-2000)).join('\n---\n'),
  )
  for (const [place, prints] of from) {
    const difference = compareSequences(prints, to.get(place) ?? [])
    assert.equal(
      difference.firstAt,
      undefined,
      `${place}: ${JSON.stringify(difference)} ${JSON.stringify(await ends())}`,
    )
  }
}

describe('replicas of causeway replicate', { timeout: 280_000 }, () => {
  test('share shards: one is added, removed, killed, stopped and goes on; the copy is exact', async () => {
    const topic = await newTopic()
    const config = topology(topic, { sessionTimeout: '6s' })
    const load = new Load(topic)
    const a = await start(config)
    await shared('a has everything', [a])
    await forwards(a)

    const b = await start(config)
    await change('b is added', topic, a, async () => [b])
    await forwards(b)

    const c = await start(config)
    await change('c is added', topic, a, async () => [b, c])
    await change('c is removed', topic, a, async () => {
      await c.stop()
      return [b]
    })
    await change('b is killed', topic, a, async () => {
      await b.kill()
      return []
    })

    const d = await start(config)
    await change('d is added', topic, a, async () => [d])
    await forwards(d)
    await change('d is stopped', topic, a, async () => {
      d.child.kill('SIGSTOP')
      return []
    })
    await forwards(a)
    await change('d goes on', topic, a, async () => {
      d.child.kill('SIGCONT')
      return [d]
    })
    await forwards(d)
    assert.equal(d.child.exitCode, null, d.text)

    await load.stop()
    await assertExactCopy(topic, load.acknowledged)
    await Promise.all([a.stop(), d.stop()])
  })

  test('with an instance id, a restart within the session moves nothing', async () => {
    const topic = await newTopic()
    const config = topology(topic, { sessionTimeout: '60s', instanceId: 'pod-${env:POD_NAME}' })
    const load = new Load(topic)
    const a = await start(config, { POD_NAME: '0' })
    await shared('a has everything', [a])
    const b = await start(config, { POD_NAME: '1' })
    await shared('b is added', [a, b])
    await forwards(b)
    const [ofA, ofB] = [await shardsOf(a), await shardsOf(b)]
    const startsOfA = allShards.map((shard) => starts(a, topic, shard))

    await b.stop()
    const again = await start(config, { POD_NAME: '1' })
    await shared('b is there again', [a, again])
    await forwards(again)
    await again.kill()
    const third = await start(config, { POD_NAME: '1' })
    await shared('b is there again after a kill', [a, third])
    await forwards(third)
    assert.deepEqual(await shardsOf(third), ofB)
    assert.deepEqual(await shardsOf(a), ofA)
    assert.deepEqual(
      allShards.map((shard) => starts(a, topic, shard)),
      startsOfA,
    )

    const usurper = await start(config, { POD_NAME: '0' })
    assert.equal(await a.exitCode(), exitCode.failed)
    assert.match(a.stderr, /error: .*another process took the place of replicas.instanceId pod-0/)
    await shared('the usurper has the shards', [usurper, third])

    await load.stop()
    await assertExactCopy(topic, load.acknowledged)
    await Promise.all([usurper.stop(), third.stop()])
  })

  test('a replica with another number of shards is kept out, and says so', async () => {
    const topic = await newTopic()
    const config = topology(topic, { sessionTimeout: '6s' })
    const a = await start(config)
    await shared('a has everything', [a])
    const other = await start({ ...config, replication: { shards: shards + 1 } })
    const told = await other.logged('sharing-trouble')
    assert.match(told.msg, /do not share 5 shards.*Configure all replicas alike/)
    assert.deepEqual(await shardsOf(other), [])
    assert.deepEqual(await shardsOf(a), allShards)
    await Promise.all([a.stop(), other.stop()])
  })
})
