import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Admin, Kafka } from 'kafkajs'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { exitCode } from '../../replicator/cli/exit-codes.ts'
import { runCommand } from '../../replicator/local/run-command.ts'
import { createTopics } from './create-topics.ts'
import { causewayCommand, ReplicateProcess, until } from './replicate-process.ts'
import { verifyResult } from './verify-process.ts'

function setting(name: string): string {
  const value = process.env[name]
  assert.ok(value, `${name} is not set: run these tests with npm test`)
  return value
}

let scratch: string
let bootstrap: { readonly A: string; readonly B: string }
let source: Kafka
let admins: { readonly A: Admin; readonly B: Admin }
const running: ReplicateProcess[] = []

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'causeway-mm2-test-'))
  bootstrap = { A: setting('CAUSEWAY_TEST_SOURCE'), B: setting('CAUSEWAY_TEST_TARGET') }
  source = kafkajsClient('mm2-test', [bootstrap.A])
  admins = { A: source.admin(), B: kafkajsClient('mm2-test', [bootstrap.B]).admin() }
  await Promise.all([admins.A.connect(), admins.B.connect()])
})

after(async () => {
  for (const replicate of running) await replicate.kill()
  await Promise.all([admins.A.disconnect(), admins.B.disconnect()])
  await rm(scratch, { recursive: true, force: true })
})

async function filledTopic(records: number): Promise<string> {
  const topic = `mm2-${randomUUID().slice(0, 8)}`
  await createTopics(admins.A, [{ topic, numPartitions: 3 }])
  const producer = source.producer()
  await producer.connect()
  const messages = Array.from({ length: records }, (_, i) => ({ key: `key ${i}`, value: randomUUID() }))
  await producer.send({ topic, acks: -1, messages })
  await producer.disconnect()
  return topic
}

async function start(name: string, text: string): Promise<ReplicateProcess> {
  const file = join(await mkdtemp(join(scratch, 'run-')), name)
  await writeFile(file, text)
  const replicate = ReplicateProcess.startOn(file)
  running.push(replicate)
  return replicate
}

/** Waits for the copy, drains, and compares. */
async function isCopied(replicate: ReplicateProcess, topic: string, records: number): Promise<void> {
  await replicate.ready()
  await until(
    `${topic} is copied`,
    async () => {
      const { body } = await replicate.health('/healthz')
      return (body.flows[0]?.records ?? 0) >= records || undefined
    },
    () => replicate.text,
  )
  await replicate.stop()
  assert.ok(
    (await admins.B.listTopics()).includes(`A.${topic}`),
    'the copy has the name that MirrorMaker 2 gives',
  )
  const outcome = await runCommand(
    process.execPath,
    [causewayCommand, 'verify', '-c', replicate.configFile, '--json'],
    {},
    AbortSignal.timeout(120_000),
  )
  const { identical, flows } = verifyResult(outcome)
  assert.equal(identical, true, outcome.stdout)
  // kafkajs may send some twice to a topic as new as this.
  assert.ok((flows[0]?.records.target ?? 0) >= records, outcome.stdout)
}

describe("MirrorMaker 2's files", { timeout: 280_000 }, () => {
  test('an mm2.properties copies a topic to its usual name, and says what its keys come to', async () => {
    const topic = await filledTopic(300)
    const replicate = await start(
      'mm2.properties',
      `clusters = A, B
A.bootstrap.servers = ${bootstrap.A}
B.bootstrap.servers = ${bootstrap.B}
A->B.enabled = true
A->B.topics = ${topic}, nothing-.*
heartbeats.replication.enabled = false
replication.factor = 1
tasks.max = 4
causeway.name = ${topic}
causeway.http.port = 0
causeway.http.host = 127.0.0.1
`,
    )
    await isCopied(replicate, topic, 300)
    assert.match(replicate.stderr, /note: .*mm2\.properties:8 tasks\.max: not needed: There are no tasks/)
  })

  test('a list of connectors does so, too', async () => {
    const topic = await filledTopic(200)
    const replicate = await start(
      'connectors.yaml',
      `name: ${topic}
http: { port: 0, host: 127.0.0.1 }
connectors:
  - name: a-to-b
    connector.class: org.apache.kafka.connect.mirror.MirrorSourceConnector
    tasks.max: 4
    config:
      source.cluster.alias: A
      target.cluster.alias: B
      source.cluster.bootstrap.servers: ${bootstrap.A}
      target.cluster.bootstrap.servers: ${bootstrap.B}
      topics: ${topic}
      heartbeats.replication.enabled: false
      replication.factor: 1
`,
    )
    await isCopied(replicate, topic, 200)
  })

  test('what cannot be obeyed ends the command before anything is done', async () => {
    const replicate = await start(
      'mm2.properties',
      'clusters = A, B\nbootstrap.servers = 127.0.0.1:1\nA->B.enabled = true\nA->B.transforms = mask\nA->B.topcs = x\n',
    )
    assert.equal(await replicate.exitCode(), exitCode.usage)
    assert.match(
      replicate.stderr,
      /mm2\.properties:4:1 A->B\.transforms: not possible here: record batches are/,
    )
    assert.match(replicate.stderr, /mm2\.properties:5:1 A->B\.topcs: an unknown key; did you mean "topics"\?/)
  })
})
