import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Admin } from 'kafkajs'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { runCommand } from '../../replicator/local/run-command.ts'
import { prepareMirrorTopic } from '../../replicator/offsets/mm2/prepare-topic.ts'
import { writeSourceOffsets } from '../../replicator/offsets/mm2/source-offsets-topic.ts'
import { sourceOffset } from '../../replicator/records/offsets.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { readFingerprints } from '../kill/read-records.ts'
import { createTopics } from './create-topics.ts'
import { testBrokers } from './flow-pair.ts'
import { causewayCommand, ReplicateProcess, until } from './replicate-process.ts'

const id = randomUUID().slice(0, 8)
const topics = { plain: `plain-${id}`, twins: `twins-${id}` }
const offsetsTopic = `connect-offsets-${id}`
const bootstrap = {
  source: testBrokers('CAUSEWAY_TEST_SOURCE'),
  target: testBrokers('CAUSEWAY_TEST_TARGET'),
}
const config = {
  name: `identity-${id}`,
  pattern: 'active-passive',
  http: { port: 0, host: '127.0.0.1' },
  regions: {
    'us-east': { role: 'active', bootstrap: bootstrap.source },
    'eu-west': { role: 'passive', bootstrap: bootstrap.target },
  },
  topics: [{ match: `.*-${id}`, exclude: 'connect-.*' }],
  replication: { shards: 2, replicationFactor: 'broker-default' },
}

/** A MirrorMaker 2 on a Connect cluster, under IdentityReplicationPolicy and with an alias of its own. */
describe('from the names that somebody else gave', { timeout: 120_000 }, () => {
  let folder: string
  let file: string
  let replicate: ReplicateProcess | undefined
  const clients = {
    source: kafkajsClient('identity', bootstrap.source),
    target: kafkajsClient('identity', bootstrap.target),
  }
  const admins: { readonly source: Admin; readonly target: Admin } = {
    source: clients.source.admin(),
    target: clients.target.admin(),
  }
  const now = systemClock.wallMs() - 60_000
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'causeway-identity-'))
    file = join(folder, 'causeway.yaml')
    await writeFile(file, JSON.stringify(config))
    await Promise.all([admins.source.connect(), admins.target.connect()])
    const both = Object.values(topics).map((topic) => ({ topic }))
    await Promise.all([createTopics(admins.source, both), createTopics(admins.target, both)])
    for (const [side, plain, twins] of [
      ['source', 'abcdef', 'axxxxb'],
      ['target', 'abcd', 'axx'],
    ] as const) {
      const producer = clients[side].producer()
      await producer.connect()
      for (const [topic, letters] of [
        [topics.plain, plain],
        [topics.twins, twins],
      ] as const)
        await producer.send({
          topic,
          messages: [...letters].map((value) => ({
            value,
            timestamp: String(Math.floor(now) + value.charCodeAt(0)),
          })),
        })
      await producer.disconnect()
    }
    await storeOffsets()
  })
  after(async () => {
    await replicate?.kill()
    for (const admin of Object.values(admins)) {
      const made = (await admin.listTopics()).filter((name) => name.includes(id))
      if (made.length > 0) await admin.deleteTopics({ topics: made }).catch(() => {})
      await admin.disconnect()
    }
    await rm(folder, { recursive: true, force: true })
  })

  async function storeOffsets(): Promise<void> {
    const cluster = createKafkaCluster({
      alias: regionAlias('target'),
      settings: { clientId: 'identity-test', bootstrap: bootstrap.target },
      clock: systemClock,
      random: systemRandom,
    })
    const { signal } = new AbortController()
    await prepareMirrorTopic(cluster, { name: offsetsTopic, replicationFactor: 1, partitions: 2 }, signal)
    await writeSourceOffsets(
      {
        ...{ cluster, topic: offsetsTopic, backoff: defaultBackoff },
        ...{ clock: systemClock, random: systemRandom },
      },
      [
        { topic: topics.plain, lastCopied: sourceOffset(1n) },
        { topic: topics.twins, lastCopied: sourceOffset(0n) },
      ].map((one) => ({ connector: 'east-to-west', cluster: 'east', partition: 0, ...one })),
      signal,
    )
    await cluster.close()
  }

  const causeway = (...args: readonly string[]) =>
    runCommand(process.execPath, [causewayCommand, ...args], {}, AbortSignal.timeout(60_000))

  const options = [
    ...['--offsets-topic', offsetsTopic, '--connector', 'east-to-west', '--mm2-source', 'east'],
    '--assume-stopped',
  ]

  async function copied(topic: string): Promise<number> {
    return (await readFingerprints(clients.target, [topic])).get(`${topic}/0`)?.length ?? 0
  }

  test('copying goes on, and where a person decided', async () => {
    const asked = await causeway('migrate', 'from-mm2', '-c', file, ...options)
    assert.equal(asked.code, 2, asked.stdout)
    assert.match(asked.stderr, /there is nobody to ask: say --yes to do it, or --dry-run/)

    const taken = await causeway('migrate', 'from-mm2', '-c', file, ...options, '--yes')
    assert.equal(taken.code, 1, taken.stderr)
    const [head, columns, plain, twins, next] = taken.stdout.split('\n')
    assert.equal(head, `us-east->eu-west  ${offsetsTopic}`)
    assert.match(columns ?? '', /^ {2}PARTITION +COPY +STORED NEXT +BEYOND +GOES ON AT$/)
    assert.match(plain ?? '', /^ {2}plain-\w+\/0 +plain-\w+ +2 +\+2 +4$/)
    assert.match(twins ?? '', /^ {2}twins-\w+\/0 .* stays stopped: the record at source offset 2 is equal to/)
    assert.match(next ?? '', /^Start causeway replicate/)

    replicate = ReplicateProcess.startOn(file)
    await until('the plain copy', async () => ((await copied(topics.plain)) === 6 ? true : undefined))
    assert.equal(await copied(topics.twins), 3)
    const place = [`${topics.twins}/0`, '--from', '3']
    const resumed = await causeway('flow', 'resume', '-c', file, ...place)
    assert.equal(resumed.code, 0, resumed.stderr)
    await until('the other copy', async () => ((await copied(topics.twins)) === 6 ? true : undefined))
    const [from, to] = [
      await readFingerprints(clients.source, Object.values(topics)),
      await readFingerprints(clients.target, Object.values(topics)),
    ]
    assert.deepEqual(to, from)
  })
})
