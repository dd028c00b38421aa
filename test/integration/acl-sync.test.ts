import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import kafkajs from 'kafkajs'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { TopicAcl } from '../../replicator/kafka/acl-binding.ts'
import type { Cluster, Outcome } from '../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { Secret } from '../../replicator/kafka/secret.ts'
import type { ConnectionSettings } from '../../replicator/kafka/settings.ts'
import { TopicLog } from '../../replicator/kafka/topic-log.ts'
import { installKafka } from '../../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { aclWords } from '../../replicator/topics/acl-words.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { type LogEntry, ReplicateProcess, until } from './replicate-process.ts'

interface Credentials {
  readonly bootstrap: readonly string[]
  readonly username: string
  readonly password: string
  readonly caFile: string
}

const signal = new AbortController().signal
const words = (acls: readonly TopicAcl[]): readonly string[] => acls.map(aclWords).sort()

/** An unsecured token (RFC 7519, section 6), which makes its bearer whomever it names. */
function tokenOf(user: string): Secret {
  const nowS = Math.floor(Date.now() / 1000)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return new Secret(`${part({ alg: 'none' })}.${part({ sub: user, iat: nowS - 1, exp: nowS + 3000 })}.`)
}

describe('ACLs that follow the source', { timeout: 240_000 }, () => {
  const run = randomUUID().slice(0, 8)
  const orders = `orders-${run}`
  const pay = `pay-${run}`
  const open: Cluster[] = []
  const running: ReplicateProcess[] = []
  let folder: string
  let targetBrokers: LocalCluster
  let logins: Readonly<Record<'us-east' | 'eu-west', Credentials>>
  /** With all rights. */
  let source: Cluster
  let target: Cluster

  async function connect(alias: 'us-east' | 'eu-west', sasl?: ConnectionSettings['sasl']): Promise<Cluster> {
    const { bootstrap, caFile, username, password } = logins[alias]
    const own = { mechanism: 'scram-sha-512' as const, username, password: new Secret(password) }
    const tls = { ca: await readFile(caFile, 'utf8') }
    return opened({ bootstrap, clientId: 'test', tls, sasl: sasl ?? own })
  }

  function opened(settings: ConnectionSettings): Cluster {
    const cluster = createKafkaCluster({
      alias: regionAlias('test'),
      settings,
      clock: systemClock,
      random: systemRandom,
      deadlineMs: 20_000,
    })
    open.push(cluster)
    return cluster
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'causeway-acl-test-'))
    const path = process.env.CAUSEWAY_TEST_SECURE
    assert.ok(path, 'CAUSEWAY_TEST_SECURE is not set: run these tests with npm test')
    const installation = await installKafka({}, signal)
    targetBrokers = await startLocalCluster({ alias: 'acls', secure: true, installation, folder }, signal)
    assert.ok(targetBrokers.secure)
    const read = async (file: string) => JSON.parse(await readFile(file, 'utf8')) as Credentials
    logins = {
      'us-east': await read(path),
      'eu-west': await read(targetBrokers.secure.clientCredentialsFile),
    }
    source = await connect('us-east')
    target = await connect('eu-west')
    const topics = [orders, `${pay}-in`].map((name) => ({
      name,
      partitions: 1,
      replicationFactor: 1,
      configs: new Map(),
    }))
    for (const outcome of (await source.createTopics(topics)).values()) assert.ok(outcome.ok)
    for (const { name } of topics) await append(source, name)
  })

  after(async () => {
    for (const process of running) await process.kill()
    for (const cluster of open) cluster.destroy()
    await targetBrokers?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  async function logOf<T>(cluster: Cluster, topic: string, use: (log: TopicLog) => Promise<T>): Promise<T> {
    const seams = { clock: systemClock, random: systemRandom, backoff: defaultBackoff }
    const log = new TopicLog({ cluster, topic, ...seams })
    try {
      return await use(log)
    } finally {
      await log.close()
    }
  }

  const record = { key: null, value: Buffer.from('v'), headers: [], timestamp: BigInt(Date.now()) }
  const append = (cluster: Cluster, topic: string): Promise<void> =>
    logOf(cluster, topic, (log) => log.append(0, [record], signal))

  /** What happens when a user tries: the error's name, or `ok`. */
  async function tried(user: string, what: 'read' | 'write', topic: string): Promise<string> {
    const cluster = await connect('eu-west', { mechanism: 'oauthbearer', token: async () => tokenOf(user) })
    try {
      if (what === 'write') await append(cluster, topic)
      else await logOf(cluster, topic, (log) => log.read(0, () => {}, signal))
      return 'ok'
    } catch (error) {
      return (error as { kind: string }).kind
    } finally {
      await cluster.close()
    }
  }

  function acl(user: string, more: Partial<TopicAcl> = {}): TopicAcl {
    return {
      resource: orders,
      pattern: 'literal',
      principal: `User:${user}-${run}`,
      host: '*',
      operation: 'READ',
      permission: 'ALLOW',
      ...more,
    }
  }

  /** Rules of this run's users. */
  async function rulesOn(cluster: Cluster): Promise<readonly TopicAcl[]> {
    const answer = await cluster.describeAcls({})
    assert.ok(answer.ok)
    return answer.value.filter(({ principal }) => principal.endsWith(run))
  }

  const allMade = (outcomes: readonly Outcome[]): void =>
    assert.deepEqual(
      outcomes.map(({ ok }) => ok),
      outcomes.map(() => true),
    )

  async function replicate(mode: 'report' | 'sync'): Promise<ReplicateProcess> {
    const region = (alias: 'us-east' | 'eu-west') => {
      const { bootstrap, caFile, username, password } = logins[alias]
      const sasl = { mechanism: 'scram-sha-512', username, password }
      return { bootstrap, security: { tls: { ca: caFile }, sasl } }
    }
    const process = await ReplicateProcess.start(folder, {
      name: `acls-${run}`,
      regions: { 'us-east': region('us-east'), 'eu-west': region('eu-west') },
      topics: [{ name: orders }, { prefix: pay }],
      flows: [{ source: 'us-east', target: 'eu-west' }],
      replication: { aclSync: { mode } },
    })
    running.push(process)
    return process
  }

  const copied = (one: TopicAcl): TopicAcl => ({ ...one, resource: `us-east.${one.resource}` })
  const readers = [
    acl('alice'),
    acl('bob', { permission: 'DENY' }),
    acl('carol', { resource: pay, pattern: 'prefixed' }),
  ]
  const bobsRead = acl('bob', { resource: orders.slice(0, 9), pattern: 'prefixed' })
  const dave = acl('dave', { operation: 'WRITE' })
  const erin = acl('erin', { operation: 'ALL' })
  const byHand = copied(acl('hank'))
  const first = [
    ...[...readers, bobsRead].map(copied),
    ...(['READ', 'DESCRIBE', 'DESCRIBE_CONFIGS'] as const).map((operation) => copied({ ...erin, operation })),
    byHand,
  ]

  /** Whether a line of the log names just these changes to rules of this run's users. */
  function isOf(line: LogEntry, added: readonly TopicAcl[], removed: readonly TopicAcl[]): boolean {
    const own = (list: unknown) =>
      words((list as readonly TopicAcl[]).filter(({ principal }) => principal.endsWith(run)))
    return isDeepStrictEqual([own(line.added), own(line.removed)], [words(added), words(removed)])
  }

  test('in a report are told, and no cluster is changed', async () => {
    allMade(await source.createAcls([...readers, bobsRead, dave, erin]))
    allMade(await target.createAcls([byHand]))
    const process = await replicate('report')
    const expected = first.filter((one) => one !== byHand)
    await until(
      'the report',
      () => process.log.find((line) => line.event === 'acls-would-change' && isOf(line, expected, [])),
      () => process.text,
    )
    await process.ready()
    await process.stop()
    assert.deepEqual(words(await rulesOn(target)), words([byHand]))
    const memory = `causeway.acls-${run}.acls`
    assert.equal((await target.describeTopics([memory])).get(memory)?.kind, 'missing')
  })

  test('are made on the copies, and hold there', async () => {
    const process = await replicate('sync')
    await process.logged('acls-changed')
    await process.ready()
    const told = await process.logged('acls-not-carried')
    const notes = told.notes as readonly { readonly acl: TopicAcl; readonly reason: string }[]
    const ofRun = notes.filter((note) => note.acl.principal.endsWith(run))
    assert.deepEqual(ofRun.map(({ acl: one, reason }) => `${reason} ${aclWords(one)}`).sort(), [
      `narrowed ${aclWords(erin)}`,
      `withheld ${aclWords(dave)}`,
    ])
    await process.stop()
    assert.deepEqual(words(await rulesOn(target)), words(first))
    const [ordersCopy, payCopy] = [`us-east.${orders}`, `us-east.${pay}-in`]
    const denied = 'TOPIC_AUTHORIZATION_FAILED'
    assert.equal(await tried(`alice-${run}`, 'read', ordersCopy), 'ok')
    assert.equal(await tried(`alice-${run}`, 'read', payCopy), denied)
    assert.equal(await tried(`bob-${run}`, 'read', ordersCopy), denied)
    assert.equal(await tried(`carol-${run}`, 'read', payCopy), 'ok')
    assert.equal(await tried(`erin-${run}`, 'read', ordersCopy), 'ok')
    assert.equal(await tried(`erin-${run}`, 'write', ordersCopy), denied)
    assert.equal(await tried(`dave-${run}`, 'write', ordersCopy), denied)
    assert.equal(await tried(`hank-${run}`, 'read', ordersCopy), 'ok')
  })

  test('are taken back by a later process when the source has them no longer; those made by hand stay', async () => {
    const [alice] = readers
    assert.ok(alice)
    const frank = acl('frank', { host: '127.0.0.1' })
    allMade(await source.deleteAcls([alice, erin]))
    allMade(await source.createAcls([frank]))
    const process = await replicate('sync')
    const gone = first.filter(({ principal }) => /alice|erin/.test(principal))
    await until(
      'the change',
      () => process.log.find((line) => line.event === 'acls-changed' && isOf(line, [copied(frank)], gone)),
      () => process.text,
    )
    await process.ready()
    await process.stop()
    const left = [...first.filter((one) => !gone.includes(one)), copied(frank)]
    assert.deepEqual(words(await rulesOn(target)), words(left))
    assert.equal(await tried(`alice-${run}`, 'read', `us-east.${orders}`), 'TOPIC_AUTHORIZATION_FAILED')
    assert.equal(await tried(`frank-${run}`, 'read', `us-east.${orders}`), 'ok')
  })

  test('leave the replicator alone', async () => {
    const answer = await target.describeAcls({ principal: 'User:causeway' })
    assert.ok(answer.ok)
    assert.deepEqual(words(answer.value), ['ALLOW ALL to User:causeway on all topics'])
  })

  describe('through the port', () => {
    test('filters by topic, pattern and principal', async () => {
      const some = [acl('port'), acl('port', { resource: pay, pattern: 'prefixed', permission: 'DENY' })]
      allMade(await target.createAcls([...some, ...some]))
      const principal = `User:port-${run}`
      const ask = async (filter: Parameters<Cluster['describeAcls']>[0]) => {
        const answer = await target.describeAcls({ principal, ...filter })
        assert.ok(answer.ok)
        return words(answer.value)
      }
      // Brokers learn of rules from the controller, which answers first.
      const become = (wanted: readonly string[]) =>
        until('the rules', async () => isDeepStrictEqual(await ask({}), wanted) || undefined)
      await become(words(some))
      assert.deepEqual(await ask({ pattern: 'prefixed' }), words(some.slice(1)))
      assert.deepEqual(await ask({ resource: orders }), words(some.slice(0, 1)))
      assert.deepEqual(await ask({ resource: `${pay}-in`, pattern: 'covering' }), words(some.slice(1)))
      allMade(await target.deleteAcls([...some, acl('nobody')]))
      await become([])
    })

    test('each rule has an answer of its own', async () => {
      const wrong = acl('port', { principal: 'nobody knows what' })
      const [one, other] = await target.createAcls([wrong, acl('port')])
      assert.equal(one?.ok, false)
      assert.equal(other?.ok, true)
      allMade(await target.deleteAcls([acl('port')]))
    })

    test('rights on the cluster are enough to read, and to change', async () => {
      const { Kafka } = kafkajs
      const { bootstrap, caFile, username, password } = logins['eu-west']
      const sasl = { mechanism: 'scram-sha-512' as const, username, password }
      const ssl = { ca: await readFile(caFile, 'utf8') }
      const admin = new Kafka({ brokers: [...bootstrap], ssl, sasl, logLevel: 0 }).admin()
      await admin.connect()
      const grant = (operation: 'DESCRIBE' | 'ALTER') =>
        admin.createAcls({
          acl: [
            {
              resourceType: kafkajs.AclResourceTypes.CLUSTER,
              resourceName: 'kafka-cluster',
              resourcePatternType: kafkajs.ResourcePatternTypes.LITERAL,
              principal: `User:follower-${run}`,
              host: '*',
              operation: kafkajs.AclOperationTypes[operation],
              permissionType: kafkajs.AclPermissionTypes.ALLOW,
            },
          ],
        })
      const token = async () => tokenOf(`follower-${run}`)
      const follower = await connect('eu-west', { mechanism: 'oauthbearer', token })
      try {
        await grant('DESCRIBE')
        await until('the right to look', async () => (await follower.describeAcls({})).ok || undefined)
        assert.equal((await follower.createAcls([acl('port')]))[0]?.ok, false)
        await grant('ALTER')
        const change = async () => (await follower.createAcls([acl('port')]))[0]?.ok || undefined
        await until('the right to change', change)
        allMade(await follower.deleteAcls([acl('port')]))
      } finally {
        await admin.disconnect()
      }
    })

    test('having no authorizer, and not being allowed, are answers', async () => {
      const codes = async (cluster: Cluster) => {
        const [asked, [made], [gone]] = [
          await cluster.describeAcls({}),
          await cluster.createAcls([acl('port')]),
          await cluster.deleteAcls([acl('port')]),
        ]
        return [asked, made, gone].map((one) => (one === undefined || one.ok ? undefined : one.error.code))
      }
      const bootstrap = [process.env.CAUSEWAY_TEST_SOURCE ?? '']
      assert.deepEqual(await codes(opened({ bootstrap, clientId: 'test' })), [54, 54, 54])
      const token = async () => tokenOf(`stranger-${run}`)
      assert.deepEqual(
        await codes(await connect('eu-west', { mechanism: 'oauthbearer', token })),
        [31, 31, 31],
      )
    })
  })
})
