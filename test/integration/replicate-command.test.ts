import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Admin, Kafka } from 'kafkajs'
import { compareCopy } from '../../replicator/cli/demo/compare-copy.ts'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { exitCode } from '../../replicator/cli/exit-codes.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { installKafka } from '../../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { createTopics } from './create-topics.ts'
import { type ReplicateOptions, ReplicateProcess, until } from './replicate-process.ts'
import { dataBatches } from './stored-batches.ts'

const signal = AbortSignal.timeout(280_000)

function setting(name: string): string {
  const value = process.env[name]
  assert.ok(value, `${name} is not set: run these tests with npm test`)
  return value
}

/** A TCP relay in front of a broker, which tests switch on and off: an address that answers or does not. */
class Relay {
  readonly #target: { readonly host: string; readonly port: number }
  readonly #sockets = new Set<Socket>()
  #server: Server | undefined
  #port = 0

  private constructor(bootstrap: string) {
    const [host = '', port = ''] = bootstrap.split(':')
    this.#target = { host, port: Number(port) }
  }

  /** Takes a port, at which nothing listens until {@link open}. */
  static async closed(bootstrap: string): Promise<Relay> {
    const relay = new Relay(bootstrap)
    await relay.open()
    await relay.close()
    return relay
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`
  }

  async open(): Promise<void> {
    const server = createServer((near) => {
      const far = connect(this.#target)
      for (const socket of [near, far]) {
        this.#sockets.add(socket)
        socket.on('error', () => {})
        socket.on('close', () => {
          near.destroy()
          far.destroy()
        })
      }
      near.pipe(far).pipe(near)
    })
    this.#server = server
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = (server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise<void>((resolve) => this.#server?.close(() => resolve()) ?? resolve())
    this.#server = undefined
  }
}

const sourceBootstrap = () => setting('CAUSEWAY_TEST_SOURCE')
const targetBootstrap = () => setting('CAUSEWAY_TEST_TARGET')

let scratch: string
let source: Kafka
let target: Kafka
let admins: { readonly source: Admin; readonly target: Admin }
let copies: Cluster
let running: ReplicateProcess[]

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'causeway-replicate-test-'))
  source = kafkajsClient('replicate-test', [sourceBootstrap()])
  target = kafkajsClient('replicate-test', [targetBootstrap()])
  admins = { source: source.admin(), target: target.admin() }
  await Promise.all([admins.source.connect(), admins.target.connect()])
  copies = createKafkaCluster({
    alias: regionAlias('eu-west'),
    settings: { clientId: 'replicate-test', bootstrap: [targetBootstrap()] },
    clock: systemClock,
    random: systemRandom,
  })
  running = []
})

after(async () => {
  for (const replicate of running) await replicate.kill()
  await copies.close()
  await Promise.all([admins.source.disconnect(), admins.target.disconnect()])
  await rm(scratch, { recursive: true, force: true })
})

/** A topology of its own, so that nothing is known from other tests. */
function topology(
  topic: string,
  changes: { readonly source?: object; readonly target?: object; readonly [key: string]: unknown } = {},
) {
  const { source: sourceChanges, target: targetChanges, ...others } = changes
  return {
    name: `test-${randomUUID().slice(0, 8)}`,
    pattern: 'active-passive',
    regions: {
      'us-east': { role: 'active', bootstrap: sourceBootstrap(), ...sourceChanges },
      'eu-west': { role: 'passive', bootstrap: targetBootstrap(), ...targetChanges },
    },
    topics: [{ name: topic }],
    ...others,
  }
}

async function start(config: object, options: ReplicateOptions = {}): Promise<ReplicateProcess> {
  const replicate = await ReplicateProcess.start(await mkdtemp(join(scratch, 'run-')), config, options)
  running.push(replicate)
  return replicate
}

async function newTopic(partitions = 1): Promise<string> {
  const topic = `replicate-${randomUUID().slice(0, 8)}`
  await createTopics(admins.source, [{ topic, numPartitions: partitions }])
  return topic
}

async function produce(topic: string, count: number): Promise<void> {
  const producer = source.producer()
  await producer.connect()
  const messages = Array.from({ length: count }, (_, i) => ({ key: `key ${i}`, value: randomUUID() }))
  await producer.send({ topic, acks: -1, messages })
  await producer.disconnect()
}

/** Records of a target topic, without the markers of takeovers; 0 while it does not exist. */
async function held(topic: string): Promise<number> {
  const lookup = (await copies.describeTopics([topic])).get(topic)
  if (lookup?.kind !== 'found') return 0
  const partitions = await Promise.all(
    lookup.topic.partitions.map(({ partition }) => dataBatches(copies, topic, partition)),
  )
  return partitions.flat().reduce((total, { records }) => total + records, 0)
}

const arrived = (topic: string, count: number, replicate: ReplicateProcess) =>
  until(
    `${count} records of ${topic} at the target`,
    async () => (await held(topic)) >= count || undefined,
    () => replicate.text,
  )

describe('causeway replicate', { timeout: 280_000 }, () => {
  test('copies what is there and what comes, drains on SIGTERM and goes on where it was', async () => {
    const topic = await newTopic(3)
    const config = topology(topic)
    await produce(topic, 300)
    const first = await start(config)
    await first.ready()
    await produce(topic, 200)
    await arrived(topic, 500, first)
    await produce(topic, 100)
    await first.stop()

    assert.equal(first.stderr, '')
    const flow = 'us-east->eu-west'
    for (const { level, msg } of first.log) {
      assert.ok(['info', 'warn', 'error'].includes(level))
      assert.ok(msg.length > 0)
    }
    assert.equal((await first.logged('target-topic-created')).flow, flow)
    assert.equal((await first.logged('partition-started')).flow, flow)
    const stopped = await first.logged('stopped')
    assert.deepEqual(stopped, first.log.at(-1))
    assert.equal(stopped.lagRecords, 0)
    assert.equal(stopped.records, await held(topic), 'what was acknowledged is there, once')

    const second = await start(config)
    await second.ready()
    await arrived(topic, 600, second)
    const starts = () => second.log.filter(({ event }) => event === 'partition-started')
    await until(
      'three partitions start',
      async () => starts().length === 3 || undefined,
      () => second.text,
    )
    assert.deepEqual(
      starts().map(({ from }) => from),
      ['progress', 'progress', 'progress'],
    )
    await second.stop()
    const third = await start(config)
    await third.ready()
    await third.stop()
    assert.equal(await held(topic), 600, 'nothing twice')
    const report = await compareCopy({
      source: { alias: 'us-east', bootstrap: [sourceBootstrap()] },
      target: { alias: 'eu-west', bootstrap: [targetBootstrap()] },
      topics: [{ name: topic, partitions: 3 }],
      clock: systemClock,
      random: systemRandom,
      signal,
    })
    assert.equal(report.identical, true, JSON.stringify(report))
    assert.equal(report.records.target, 600)
  })

  test('a paused topic is held back, and goes on where it was', async () => {
    const topic = await newTopic()
    const config = topology(topic)
    await produce(topic, 10)
    const first = await start(config)
    await arrived(topic, 10, first)
    await first.stop()

    await produce(topic, 10)
    const held10 = await start({ ...config, replication: { paused: [{ name: topic }] } })
    await held10.ready()
    const { body } = await held10.health('/readyz')
    assert.equal(body.flows[0]?.partitions.paused, 1)
    await held10.stop()
    assert.equal(await held(topic), 10)

    const resumed = await start(config)
    await arrived(topic, 20, resumed)
    await resumed.stop()
    assert.equal(await held(topic), 20)
  })

  test('a wrong configuration or command line ends with code 2, the place and every problem', async () => {
    const topic = 'never-created'
    const wrong = await start({ ...topology(topic), topcis: [], replication: { startAt: 'tomorrow' } })
    assert.equal(await wrong.exitCode(), exitCode.usage)
    assert.match(wrong.stderr, /causeway\.yaml:\d+:\d+ topcis: .*topics/)
    assert.match(wrong.stderr, /causeway\.yaml:\d+:\d+ replication\.startAt: /)
    for (const [args, message] of [
      [['--at', 'mars'], /--at mars: no such region; the topology has us-east, eu-west/],
      [['--at', 'eu-west'], /None of the topology's flows runs at eu-west/],
      [['--accept-gap', 'orders/first'], /--accept-gap orders\/first: write TOPIC or TOPIC\/PARTITION/],
      [['--accept-gap', 'orders/1'], /--accept-gap orders\/1: no flow takes it/],
      [['--drain-timeout', 'long'], /number of seconds/],
    ] as const) {
      const refused = await start(topology(topic), { args })
      assert.equal(await refused.exitCode(), exitCode.usage)
      assert.match(refused.stderr, message)
      assert.doesNotMatch(refused.stderr, /^\s+at /m)
    }
    const accepted = await start(topology(topic), { args: ['--accept-gap', `${topic}/1`, '--at', 'us-east'] })
    await accepted.logged('started')
    await accepted.stop()
  })

  test('a port that is taken ends with code 3', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const refused = await start({ ...topology('never-created'), http: { port, host: '127.0.0.1' } })
    assert.equal(await refused.exitCode(), exitCode.environment)
    assert.match(refused.stderr, new RegExp(`127\\.0\\.0\\.1:${port}: the port is taken`))
    await new Promise((resolve) => server.close(resolve))
  })

  for (const side of ['source', 'target'] as const) {
    test(`waits for a ${side} that is away, says so, and goes on when it is there`, async () => {
      const topic = await newTopic()
      await produce(topic, 5)
      const relay = await Relay.closed(side === 'source' ? sourceBootstrap() : targetBootstrap())
      const replicate = await start(topology(topic, { [side]: { bootstrap: relay.address } }))
      const alias = side === 'source' ? 'us-east' : 'eu-west'
      const told = await until(
        'an error about the cluster',
        () => replicate.log.find(({ level }) => level === 'error'),
        () => replicate.text,
      )
      assert.match(told.msg, new RegExp(`cluster ${alias}, at ${relay.address}.*nothing listens there`))
      assert.equal((await replicate.health('/healthz')).status, 200)
      const unready = await replicate.health('/readyz')
      assert.equal(unready.status, 503)
      assert.match(unready.body.flows[0]?.trouble ?? '', new RegExp(alias))
      await relay.open()
      await replicate.ready()
      await arrived(topic, 5, replicate)
      const recovered = replicate.log.some(({ event = '' }) => event.endsWith('-recovered'))
      assert.ok(recovered, replicate.text)
      await replicate.stop()
      await relay.close()
    })
  }
})

describe('causeway replicate from a secured cluster', { timeout: 280_000 }, () => {
  interface Credentials {
    readonly bootstrap: readonly string[]
    readonly mechanism: string
    readonly username: string
    readonly password: string
    readonly caFile: string
  }
  let credentials: Credentials
  before(async () => {
    credentials = JSON.parse(await readFile(setting('CAUSEWAY_TEST_SECURE'), 'utf8')) as Credentials
  })

  const secured = () => {
    const { bootstrap, mechanism, username, caFile } = credentials
    // The CLI's own way to name a secret; no template of this language.
    const password = ['$', '{env:US_EAST_PASSWORD}'].join('')
    const security = { tls: { ca: caFile }, sasl: { mechanism, username, password } }
    return { source: { bootstrap: [...bootstrap], security } }
  }

  test('logs in with a password from the environment and the authority from a file', async () => {
    const topic = `secured-${randomUUID().slice(0, 8)}`
    const { bootstrap, username, password, caFile } = credentials
    const { Kafka: Client } = await import('kafkajs')
    const kafka = new Client({
      brokers: [...bootstrap],
      ssl: { ca: await readFile(caFile, 'utf8') },
      sasl: { mechanism: 'scram-sha-512', username, password },
      logLevel: 0,
    })
    const [admin, producer] = [kafka.admin(), kafka.producer()]
    await Promise.all([admin.connect(), producer.connect()])
    await createTopics(admin, [{ topic }])
    await producer.send({ topic, messages: [{ value: 'a' }, { value: 'b' }] })
    await Promise.all([admin.disconnect(), producer.disconnect()])
    const replicate = await start(topology(topic, secured()), { env: { US_EAST_PASSWORD: password } })
    await arrived(topic, 2, replicate)
    await replicate.stop()
    assert.ok(!replicate.text.includes(password))
  })

  test('a wrong password is told with the cluster, and never shown', async () => {
    const password = 'wrong-hunter2'
    const replicate = await start(topology('any', secured()), { env: { US_EAST_PASSWORD: password } })
    const told = await until(
      'an error about the log-in',
      () => replicate.log.find(({ level }) => level === 'error'),
      () => replicate.text,
    )
    assert.match(told.msg, /cluster us-east, at .*refuses the credentials.*Check user name/)
    assert.equal((await replicate.health('/readyz')).status, 503)
    await replicate.stop()
    assert.ok(!replicate.text.includes(password))
  })

  test('a password that is not there ends with code 2 and its place', async () => {
    const replicate = await start(topology('any', secured()))
    assert.equal(await replicate.exitCode(), exitCode.usage)
    assert.match(
      replicate.stderr,
      /:\d+:\d+ .*password: the environment variable US_EAST_PASSWORD is not set/,
    )
  })
})

describe('causeway replicate to a target that stops answering', { timeout: 280_000 }, () => {
  let frozen: LocalCluster
  before(async () => {
    frozen = await startLocalCluster(
      { alias: 'frozen', installation: await installKafka({}, signal) },
      signal,
    )
  })
  after(() => frozen.stop())

  /** Replicates until the target holds back what was fetched. */
  async function stuck(args: readonly string[]): Promise<ReplicateProcess> {
    const topic = await newTopic()
    await produce(topic, 1)
    const config = topology(topic, { target: { bootstrap: [...frozen.bootstrap] } })
    const replicate = await start(config, { args })
    await until(
      'the first record',
      async () => ((await replicate.health('/healthz')).body.flows[0]?.records ?? 0) >= 1 || undefined,
      () => replicate.text,
    )
    frozen.pauseBroker(1)
    await produce(topic, 50)
    await until(
      'all of them were seen',
      async () => (await replicate.health('/healthz')).body.flows[0]?.lagRecords === 50 || undefined,
      () => replicate.text,
    )
    return replicate
  }

  test('a second signal cuts with code 130', async () => {
    const replicate = await stuck(['--drain-timeout', '3600'])
    replicate.signal('SIGTERM')
    await replicate.logged('stopping')
    replicate.signal('SIGINT')
    assert.equal(await replicate.exitCode(), exitCode.cut, replicate.text)
    assert.equal((await replicate.logged('stopped')).outcome, 'cut')
    frozen.resumeBroker(1)
  })

  test('--drain-timeout ends the wait, and says what is left', async () => {
    const replicate = await stuck(['--drain-timeout', '1'])
    replicate.signal('SIGTERM')
    assert.equal(await replicate.exitCode(), exitCode.ok, replicate.text)
    const stopped = await replicate.logged('stopped')
    assert.equal(stopped.lagRecords, 50)
    assert.match(stopped.msg, /50 that were seen are left for the next start/)
    frozen.resumeBroker(1)
  })
})
