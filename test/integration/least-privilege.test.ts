import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import kafkajs, { type Admin, type Kafka } from 'kafkajs'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { Secret } from '../../replicator/kafka/secret.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { createTopics } from './create-topics.ts'
import { type LogEntry, ReplicateProcess, until } from './replicate-process.ts'

const {
  AclOperationTypes,
  AclPermissionTypes,
  AclResourceTypes,
  Kafka: Client,
  ResourcePatternTypes,
} = kafkajs

/** An operation that a principal needs, as the README says. */
type Operation = 'CREATE' | 'DESCRIBE_CONFIGS' | 'ALTER' | 'ALTER_CONFIGS' | 'READ' | 'WRITE'
type Where =
  | 'source'
  | 'target'
  | 'progress'
  | 'map'
  | 'producers'
  | 'transactions'
  | 'group'
  | 'offsets'
  | 'followed'
  | 'groups'
  | 'mirrorSource'
  | 'mirrorTarget'

/** The README's table. READ, WRITE and ALTER imply DESCRIBE, ALTER_CONFIGS implies DESCRIBE_CONFIGS (KIP-133). */
const documented: Readonly<Record<Where, readonly Operation[]>> = {
  source: ['READ', 'DESCRIBE_CONFIGS'],
  target: ['CREATE', 'READ', 'WRITE', 'ALTER', 'ALTER_CONFIGS'],
  progress: ['CREATE', 'READ', 'WRITE'],
  map: ['CREATE', 'READ', 'WRITE'],
  producers: ['CREATE', 'READ', 'WRITE'],
  transactions: ['WRITE'],
  group: ['READ'],
  offsets: ['READ'],
  followed: ['READ'],
  groups: ['CREATE', 'READ', 'WRITE'],
  mirrorSource: ['CREATE', 'READ', 'WRITE'],
  mirrorTarget: ['CREATE', 'READ', 'WRITE'],
}

/** How the README's table calls them. */
const rows: Readonly<Record<Where, string>> = {
  source: 'source topics',
  target: 'target topics',
  progress: '`causeway.<name>.progress` on the target',
  map: '`causeway.<name>.map` on the target',
  producers: '`causeway.<name>.producers` on the target',
  transactions: 'transactional ids `causeway.<name>.<source>.<target>.*` on the target',
  group: 'group `causeway.<name>.<source>.<target>` on the target',
  offsets: '`__consumer_offsets` on the source, to follow groups',
  followed: 'followed groups on the target',
  groups: '`causeway.<name>.groups` on the target, to follow groups',
  mirrorSource:
    '`heartbeats` and `mm2-offset-syncs.<target>.internal` on the source, for `mirrorMakerTopics`',
  mirrorTarget: '`heartbeats` and `<source>.checkpoints.internal` on the target, for `mirrorMakerTopics`',
}

const resources: Readonly<Record<Where, { readonly type: number; readonly pattern: number }>> = {
  source: { type: AclResourceTypes.TOPIC, pattern: ResourcePatternTypes.LITERAL },
  target: { type: AclResourceTypes.TOPIC, pattern: ResourcePatternTypes.LITERAL },
  progress: { type: AclResourceTypes.TOPIC, pattern: ResourcePatternTypes.LITERAL },
  map: { type: AclResourceTypes.TOPIC, pattern: ResourcePatternTypes.LITERAL },
  producers: { type: AclResourceTypes.TOPIC, pattern: ResourcePatternTypes.LITERAL },
  transactions: { type: AclResourceTypes.TRANSACTIONAL_ID, pattern: ResourcePatternTypes.PREFIXED },
  group: { type: AclResourceTypes.GROUP, pattern: ResourcePatternTypes.LITERAL },
  offsets: { type: AclResourceTypes.TOPIC, pattern: ResourcePatternTypes.LITERAL },
  followed: { type: AclResourceTypes.GROUP, pattern: ResourcePatternTypes.LITERAL },
  groups: { type: AclResourceTypes.TOPIC, pattern: ResourcePatternTypes.LITERAL },
  mirrorSource: { type: AclResourceTypes.TOPIC, pattern: ResourcePatternTypes.LITERAL },
  mirrorTarget: { type: AclResourceTypes.TOPIC, pattern: ResourcePatternTypes.LITERAL },
}

const refusedProgress =
  /TOPIC_AUTHORIZATION_FAILED \(cluster eu-west, topic causeway\.[^ ]+\.progress.*Grant it: /
const refusedMap =
  /maps are not kept.*TOPIC_AUTHORIZATION_FAILED \(cluster eu-west, topic causeway\.[^ ]+\.map/
const refusedGroups =
  /group is followed.*TOPIC_AUTHORIZATION_FAILED \(cluster eu-west, topic causeway\.[^ ]+\.groups/
const refusedProducers =
  /TOPIC_AUTHORIZATION_FAILED \(cluster eu-west, topic causeway\.[^ ]+\.producers.*Grant it: /

/** What is said where one of them is missing: every one is needed, and each lack is told with its remedy. */
const lacks: readonly { where: Where; without: Operation; told: RegExp }[] = [
  { where: 'source', without: 'DESCRIBE_CONFIGS', told: /DESCRIBE_CONFIGS on "[^"]+" at us-east/i },
  { where: 'source', without: 'READ', told: /DESCRIBE on "[^"]+" at us-east/ },
  { where: 'target', without: 'CREATE', told: /CREATE .*at eu-west/i },
  { where: 'target', without: 'ALTER', told: /ALTER on "[^"]+" at eu-west/i },
  { where: 'target', without: 'ALTER_CONFIGS', told: /_CONFIGS on "[^"]+" at eu-west/ },
  { where: 'target', without: 'READ', told: /TOPIC_AUTHORIZATION_FAILED.*READ/i },
  { where: 'target', without: 'WRITE', told: /TOPIC_AUTHORIZATION_FAILED.*WRITE/i },
  { where: 'progress', without: 'CREATE', told: refusedProgress },
  { where: 'progress', without: 'READ', told: refusedProgress },
  { where: 'progress', without: 'WRITE', told: refusedProgress },
  { where: 'map', without: 'CREATE', told: refusedMap },
  { where: 'map', without: 'READ', told: refusedMap },
  { where: 'map', without: 'WRITE', told: refusedMap },
  { where: 'producers', without: 'CREATE', told: refusedProducers },
  { where: 'producers', without: 'READ', told: refusedProducers },
  { where: 'producers', without: 'WRITE', told: refusedProducers },
  { where: 'groups', without: 'CREATE', told: refusedGroups },
  { where: 'groups', without: 'READ', told: refusedGroups },
  { where: 'groups', without: 'WRITE', told: refusedGroups },
  { where: 'followed', without: 'READ', told: /group is followed.*GROUP_AUTHORIZATION_FAILED/ },
  { where: 'transactions', without: 'WRITE', told: /TRANSACTIONAL_ID_AUTHORIZATION_FAILED/ },
  { where: 'group', without: 'READ', told: /GROUP_AUTHORIZATION_FAILED/ },
]

/** An unsecured token (RFC 7519, section 6), which makes its bearer whomever it names. */
function tokenOf(user: string): string {
  const nowS = Math.floor(Date.now() / 1000)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return `${part({ alg: 'none' })}.${part({ sub: user, iat: nowS - 1, exp: nowS + 3000 })}.`
}

describe('the permissions that the README asks for', { timeout: 400_000 }, () => {
  let scratch: string
  let bootstrap: readonly string[]
  let caFile: string
  let kafka: Kafka
  let admin: Admin
  let cluster: Cluster
  const running: ReplicateProcess[] = []

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'causeway-privilege-test-'))
    const path = process.env.CAUSEWAY_TEST_SECURE
    assert.ok(path, 'CAUSEWAY_TEST_SECURE is not set: run these tests with npm test')
    const credentials = JSON.parse(await readFile(join(dirname(path), 'admin.json'), 'utf8'))
    bootstrap = credentials.bootstrap
    caFile = credentials.caFile
    const { mechanism, username, password } = credentials
    kafka = new Client({
      brokers: [...bootstrap],
      ssl: { ca: await readFile(caFile, 'utf8') },
      sasl: { mechanism, username, password },
      logLevel: 0,
    })
    admin = kafka.admin()
    await admin.connect()
    cluster = createKafkaCluster({
      alias: regionAlias('us-east'),
      settings: {
        bootstrap,
        clientId: 'least',
        tls: { ca: await readFile(caFile, 'utf8') },
        sasl: { mechanism, username, password: new Secret(password) },
      },
      clock: systemClock,
      random: systemRandom,
    })
  })
  after(async () => {
    for (const replicate of running) await replicate.kill()
    await admin.disconnect()
    await cluster.close()
    await rm(scratch, { recursive: true, force: true })
  })

  /**
   * One topic that the target has not, and one that it has with fewer partitions and another config; a user for each
   * side with what is documented, or all of it but one operation.
   */
  async function replicate(lack?: { where: Where; without: Operation }, mirrorMakerTopics = false) {
    const run = randomUUID().slice(0, 8)
    const [fresh, present] = [`fresh-${run}`, `present-${run}`]
    const configEntries = [{ name: 'retention.ms', value: '7200000' }]
    await createTopics(admin, [
      { topic: fresh, numPartitions: 2, configEntries },
      { topic: present, numPartitions: 2, configEntries },
      { topic: `us-east.${present}`, numPartitions: 1 },
    ])
    const producer = kafka.producer()
    await producer.connect()
    for (const topic of [fresh, present])
      for (const partition of [0, 1])
        await producer.send({ topic, messages: [{ partition, key: 'k', value: 'v' }] })
    await producer.disconnect()
    const group = `billing-${run}`
    const commit = { topic: present, partition: 1, offset: 1n, metadata: '', leaderEpoch: undefined }
    assert.equal((await cluster.commitGroupOffsets(group, [commit])).kind, 'answered')

    const flow = `causeway.least-${run}.us-east.eu-west`
    const names: Readonly<Record<Where, readonly string[]>> = {
      source: [fresh, present, ...(mirrorMakerTopics ? ['heartbeats'] : [])],
      target: [
        `us-east.${fresh}`,
        `us-east.${present}`,
        ...(mirrorMakerTopics ? ['us-east.heartbeats'] : []),
      ],
      progress: [`causeway.least-${run}.progress`],
      map: [`causeway.least-${run}.map`],
      producers: [`causeway.least-${run}.producers`],
      transactions: [`${flow}.`],
      group: [flow],
      offsets: ['__consumer_offsets'],
      followed: [group],
      groups: [`causeway.least-${run}.groups`],
      mirrorSource: mirrorMakerTopics ? ['heartbeats', 'mm2-offset-syncs.eu-west.internal'] : [],
      mirrorTarget: mirrorMakerTopics ? ['heartbeats', 'us-east.checkpoints.internal'] : [],
    }
    const users = { source: `reader-${run}`, target: `writer-${run}` }
    const allowed = (Object.keys(documented) as Where[]).flatMap((where) =>
      documented[where]
        .filter((operation) => lack?.where !== where || lack.without !== operation)
        .flatMap((operation) => names[where].map((name) => ({ where, operation, name }))),
    )
    await admin.createAcls({
      acl: allowed.map(({ where, operation, name }) => ({
        resourceType: resources[where].type,
        resourceName: name,
        resourcePatternType: resources[where].pattern,
        principal: `User:${['source', 'offsets', 'mirrorSource'].includes(where) ? users.source : users.target}`,
        host: '*',
        operation: AclOperationTypes[operation],
        permissionType: AclPermissionTypes.ALLOW,
      })),
    })
    const folder = await mkdtemp(join(scratch, 'run-'))
    const region = async (side: 'source' | 'target') => {
      const file = join(folder, `${side}.token`)
      await writeFile(file, tokenOf(users[side]))
      const sasl = { mechanism: 'oauthbearer', token: { file } }
      return { bootstrap: [...bootstrap], security: { tls: { ca: caFile }, sasl } }
    }
    const config = {
      name: `least-${run}`,
      regions: { 'us-east': await region('source'), 'eu-west': await region('target') },
      topics: [{ name: fresh }, { name: present }],
      groups: [{ name: group }],
      flows: [{ source: 'us-east', target: 'eu-west', mirrorMakerTopics }],
    }
    const start = async () => {
      const process = await ReplicateProcess.start(folder, config)
      running.push(process)
      return process
    }
    const followed = async (): Promise<bigint | undefined> => {
      const [answer] = await cluster.groupOffsets(
        [{ group, partitions: [{ topic: `us-east.${present}`, partition: 1 }] }],
        { requireStable: false },
      )
      assert(answer?.result.ok)
      const [at] = answer.result.value
      return at?.result.ok === true ? at.result.value?.offset : undefined
    }
    return { start, followed, targets: names.target, group, user: users.source }
  }

  const complaints = (log: readonly LogEntry[]) => log.filter(({ level }) => level !== 'info')

  test('are in its table', async () => {
    const readme = await readFile(join(import.meta.dirname, '../../README.md'), 'utf8')
    const row = (name: string) => readme.split('\n').find((line) => line.startsWith(`| ${name} |`)) ?? ''
    const operationsIn = (text: string) => text.match(/\b[A-Z]{4,}(_[A-Z]+)?\b/g) ?? []
    for (const where of Object.keys(documented) as Where[])
      assert.deepEqual(operationsIn(row(rows[where])), documented[where], where)
  })

  test('are enough to create, grow, configure and write copies', async () => {
    const { start, targets, followed } = await replicate()
    const process = await start()
    await until(
      'four records, two of each topic',
      async () => {
        const offsets = await Promise.all(
          targets.map((topic) => admin.fetchTopicOffsets(topic).catch(() => [])),
        )
        // Each partition has the marker of its takeover, and then its record.
        const held = offsets.flat().filter(({ high }) => Number(high) >= 2)
        return held.length === 4 || undefined
      },
      () => process.text,
    )
    await process.logged('configs-changed')
    // Behind the marker and the record.
    await until('the group stands on the target', async () => (await followed()) === 2n || undefined)
    await process.stop()
    assert.deepEqual(complaints(process.log), [])
    const again = await start()
    await again.ready()
    await again.stop()
    assert.deepEqual(complaints(again.log), [])
  })

  test("are enough to keep MirrorMaker 2's topics", async () => {
    const { start, targets } = await replicate(undefined, true)
    const process = await start()
    const written = [...targets, 'mm2-offset-syncs.eu-west.internal', 'us-east.checkpoints.internal']
    await until(
      `records in ${written}`,
      async () => {
        const offsets = await Promise.all(
          written.map((topic) => admin.fetchTopicOffsets(topic).catch(() => [])),
        )
        return offsets.every(([first]) => Number(first?.high ?? 0) >= 1) || undefined
      },
      () => process.text,
    )
    await process.stop()
    assert.deepEqual(complaints(process.log), [])
  })

  test("without WRITE for MirrorMaker 2's topics it says so, and copies all the same", async () => {
    const { start, followed } = await replicate({ where: 'mirrorTarget', without: 'WRITE' }, true)
    const process = await start()
    const { reason } = await process.logged('mirror-topics-trouble')
    assert.match(String(reason), /TOPIC_AUTHORIZATION_FAILED \(cluster eu-west.*Grant it: /)
    await until('the group stands on the target', async () => (await followed()) === 2n || undefined)
    await process.stop()
  })

  test('without READ (offsets) groups are asked one by one, for which they must be described', async () => {
    const { start, followed, group, user } = await replicate({ where: 'offsets', without: 'READ' })
    await admin.createAcls({
      acl: [
        {
          resourceType: AclResourceTypes.GROUP,
          resourceName: group,
          resourcePatternType: ResourcePatternTypes.LITERAL,
          principal: `User:${user}`,
          host: '*',
          operation: AclOperationTypes.DESCRIBE,
          permissionType: AclPermissionTypes.ALLOW,
        },
      ],
    })
    const process = await start()
    const { reason } = await process.logged('groups-polled')
    assert.match(String(reason), /TOPIC_AUTHORIZATION_FAILED .*__consumer_offsets/)
    await until('the group stands on the target', async () => (await followed()) === 2n || undefined)
    await process.stop()
  })

  // Each waits for a process most of the time.
  describe('without one of them', { concurrency: 3 }, () => {
    for (const { where, without, told } of lacks) {
      test(`without ${without} (${where}) it says what to grant`, async () => {
        const { start } = await replicate({ where, without })
        let process = await start()
        if (where === 'producers' && without === 'READ') {
          // Nothing is read until there is something.
          await process.ready()
          await process.stop()
          process = await start()
        }
        await until(
          `a complaint like ${told}`,
          () => complaints(process.log).some(({ msg }) => told.test(msg)) || undefined,
          () => process.text,
        )
        await process.stop()
      })
    }
  })
})
