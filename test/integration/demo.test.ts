import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Admin, Kafka, Message } from 'kafkajs'
import { createTopics } from '../../replicator/cli/demo/create-topics.ts'
import type { DemoResult } from '../../replicator/cli/demo/demo-result.ts'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { openSteps } from '../../replicator/cli/demo/steps.ts'
import { conclude, printVerdict, verifyCopy } from '../../replicator/cli/demo/verify-copy.ts'
import { planWorkload } from '../../replicator/cli/demo/workload-plan.ts'
import { exitCode } from '../../replicator/cli/exit-codes.ts'
import type { Output } from '../../replicator/cli/output.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'

const deadlineMs = 120_000
const command = join(import.meta.dirname, '../../replicator/cli/causeway.js')

const shared = (variable: string): readonly string[] => {
  const bootstrap = process.env[variable]
  assert.ok(bootstrap, `${variable} is not set: run these tests with npm test`)
  return bootstrap.split(',')
}

async function until<Value>(what: string, look: () => Promise<Value | undefined>): Promise<Value> {
  const end = performance.now() + deadlineMs
  for (;;) {
    const seen = await look()
    if (seen !== undefined) return seen
    assert.ok(performance.now() < end, `${what} did not happen`)
    await delay(50)
  }
}

/** A demo in a process of its own, with a folder of its own for everything temporary. */
class Demo {
  readonly folder: string
  readonly child: ChildProcess
  readonly #ended: Promise<unknown>
  #text = ''

  constructor(folder: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    this.folder = folder
    this.child = spawn(process.execPath, [command, 'demo', ...args], {
      env: { ...process.env, ...env, TMPDIR: folder },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        this.#text += data.toString()
      })
    }
    this.#ended = once(this.child, 'close')
  }

  get text(): string {
    return this.#text
  }

  async exitCode(): Promise<number | null> {
    await this.#ended
    return this.child.exitCode
  }

  /** For demos whose test failed before it ended them. */
  async end(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGTERM')
    await this.#ended
  }

  says(text: string): Promise<true> {
    return until(`"${text}" in the output`, async () => {
      assert.equal(this.child.exitCode, null, `the demo ended early:\n${this.#text}`)
      return this.#text.includes(text) || undefined
    })
  }

  /** Folders and processes that outlived the demo; only Linux tells of processes. */
  async assertNothingLeft(): Promise<void> {
    assert.deepEqual(await readdir(this.folder), [])
    const names = await readdir('/proc').catch(() => [])
    for (const name of names.filter((one) => /^\d+$/.test(one))) {
      const commandLine = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
      assert.ok(!commandLine.includes(this.folder), `process ${name} is left: ${commandLine}`)
    }
  }
}

/** Everything that an output was told, and nothing on this process's own. */
function recordingOutput(): { readonly output: Output; readonly text: () => string } {
  const lines: string[] = []
  const add = (text: string) => void lines.push(text)
  const plain = (_: unknown, text: string) => text
  const output = {
    interactive: false,
    line: add,
    note: add,
    json: () => {},
    styled: plain,
    styledNote: plain,
    status: () => {},
  }
  return { output, text: () => lines.join('\n') }
}

describe('the demo', { timeout: 280_000 }, () => {
  let scratch: string
  let admins: readonly Admin[]
  let source: Kafka
  let target: Kafka
  const regions = {
    source: { alias: 'us-east', bootstrap: [] as readonly string[] },
    target: { alias: 'eu-west', bootstrap: [] as readonly string[] },
  }

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'causeway-demo-test-'))
    regions.source.bootstrap = shared('CAUSEWAY_TEST_SOURCE')
    regions.target.bootstrap = shared('CAUSEWAY_TEST_TARGET')
    source = kafkajsClient('demo-test', regions.source.bootstrap)
    target = kafkajsClient('demo-test', regions.target.bootstrap)
    admins = [source.admin(), target.admin()]
    await Promise.all(admins.map((admin) => admin.connect()))
  })
  after(async () => {
    await Promise.all(admins.map((admin) => admin.disconnect()))
    await rm(scratch, { recursive: true, force: true })
  })

  const demos: Demo[] = []
  afterEach(() => Promise.all(demos.splice(0).map((demo) => demo.end())))
  const startDemo = async (args: readonly string[], env?: NodeJS.ProcessEnv): Promise<Demo> => {
    const demo = new Demo(await mkdtemp(join(scratch, 'run-')), args, env)
    demos.push(demo)
    return demo
  }
  const verdictOf = async (name: string, partitions: number, committed?: number) => {
    const { output, text } = recordingOutput()
    const topics = [{ name, partitions, ...(committed === undefined ? {} : { committed }) }]
    const signal = AbortSignal.timeout(deadlineMs)
    const { verdict, kafkajs } = await verifyCopy(
      { ...regions, topics, clock: systemClock, random: systemRandom, signal },
      openSteps(output),
    )
    printVerdict(output, verdict)
    return { verdict, kafkajs, code: conclude(output, verdict), text: text() }
  }
  const create = async (topic: string, on: readonly Admin[]) => {
    const signal = AbortSignal.timeout(deadlineMs)
    for (const admin of on) await createTopics(admin, [{ topic, numPartitions: 2 }], systemClock, signal)
  }
  const write = async (client: Kafka, topic: string, messages: Message[]) => {
    const producer = client.producer({ idempotent: true, maxInFlightRequests: 1 })
    await producer.connect()
    await producer.send({ topic, messages })
    await producer.disconnect()
  }

  describe('judges a copy made by hand', () => {
    const records = Array.from({ length: 40 }, (_, index) => ({
      partition: index % 2,
      key: `order-${index}`,
      value: `value ${index}`,
      headers: { 'trace-id': `${index}` },
      timestamp: `${1_700_000_000_000 + index}`,
    }))
    /** Record 21 is in partition 1, at offset 10. */
    const without21 = records.filter((_, index) => index !== 21)
    const with21 = (change: Partial<Message>) =>
      records.map((record, index) => (index === 21 ? { ...record, ...change } : record))

    const cases = [
      { what: 'a dropped record', copy: without21, kind: 'missing', offsets: 'us-east offset 10' },
      { what: 'an altered value', copy: with21({ value: 'value 12' }), kind: 'altered' },
      { what: 'an altered header', copy: with21({ headers: { 'trace-id': '12' } }), kind: 'altered' },
      { what: 'an altered timestamp', copy: with21({ timestamp: '1700000000022' }), kind: 'altered' },
    ]
    for (const { what, copy, kind, offsets = 'us-east offset 10, eu-west offset 10' } of cases) {
      test(`${what} makes it different, and is named with topic, partition and offset`, async () => {
        const topic = `demo-copy-${randomUUID().slice(0, 8)}`
        await create(topic, admins)
        await write(source, topic, records)
        await write(target, topic, copy)
        const { verdict, kafkajs, code, text } = await verdictOf(topic, 2, records.length)
        assert.equal(verdict.identical, false)
        assert.equal(code, exitCode.failed)
        assert.equal(verdict.problems.length, 1, text)
        assert.ok(text.includes(`${topic} partition 1: 1 ${kind}; first at ${offsets}: `), text)
        assert.match(text, /^DIFFERENT: /m)
        // kafkajs saw it too, where it is and nowhere else.
        const unlike = kafkajs.source.map(({ digest }, index) => digest !== kafkajs.target[index]?.digest)
        assert.deepEqual(unlike, [false, true])
      })
    }

    test('an untouched copy is identical, unless the source lacks what was written', async () => {
      const topic = `demo-copy-${randomUUID().slice(0, 8)}`
      await create(topic, admins)
      await write(source, topic, records)
      await write(target, topic, records)
      const whole = await verdictOf(topic, 2, records.length)
      assert.equal(whole.verdict.identical, true, whole.text)
      assert.equal(whole.code, exitCode.ok)
      const lacking = await verdictOf(topic, 2, records.length + 1)
      assert.equal(lacking.code, exitCode.failed)
    })
  })

  test('from beginning to end: identical, with the right counts, and nothing left', async () => {
    const json = join(scratch, 'result.json')
    const demo = await startDemo(['--records', '3000', '--json', json])
    assert.equal(await demo.exitCode(), exitCode.ok, demo.text)
    await demo.assertNothingLeft()

    const result = JSON.parse(await readFile(json, 'utf8')) as DemoResult
    assert.equal(result.identical, true)
    assert.deepEqual(result.problems, [])
    assert.equal(result.workload.written, 3_000)
    assert.ok(result.workload.aborted > 0 && result.workload.transactions.aborted > 0)
    const committed = 3_000 - result.workload.aborted
    assert.deepEqual(result.records, { source: committed, target: committed })
    assert.deepEqual(result.kafkajs, { source: committed, target: committed })
    assert.equal(result.replication.records, committed)
    const planned = planWorkload(3_000).topics
    assert.deepEqual(
      result.topics.map(({ topic, partitions }) => ({ topic, partitions })),
      planned.map(({ name, partitions }) => ({ topic: name, partitions })),
    )
    assert.ok(result.topics.every(({ source: held, target: copied }) => held > 0 && held === copied))
    assert.ok(result.coldStartMs > 0 && result.durationMs > result.coldStartMs)
    assert.deepEqual(
      result.lateTopics.map(({ topic }) => topic),
      ['orders.returned'],
    )
    assert.match(demo.text, /^IDENTICAL: /m)
  })

  test('stopped while brokers start, it says so and leaves nothing', async () => {
    const demo = await startDemo([])
    await until('the start of a broker', async () => {
      const clusters = await readdir(demo.folder)
      return clusters.length > 0 || undefined
    })
    demo.child.kill('SIGINT')
    assert.equal(await demo.exitCode(), exitCode.cut, demo.text)
    assert.ok(demo.text.includes('Stopped; nothing is left running.'), demo.text)
    await demo.assertNothingLeft()
  })

  describe('with brokers given by hand', () => {
    const topics = planWorkload(1_000).topics.map(({ name }) => name)
    const env = () => ({
      CAUSEWAY_LOCAL_BOOTSTRAP_US_EAST: regions.source.bootstrap.join(','),
      CAUSEWAY_LOCAL_BOOTSTRAP_EU_WEST: regions.target.bootstrap.join(','),
    })
    after(async () => {
      for (const admin of admins) {
        const ours = [...topics, 'causeway.demo.progress']
        const present = (await admin.listTopics()).filter((topic) => ours.includes(topic))
        if (present.length > 0) await admin.deleteTopics({ topics: present })
      }
    })

    test('--keep goes on replicating until Ctrl-C; a record written into the copy is found', async () => {
      const demo = await startDemo(['--records', '1000', '--keep'], env())
      await demo.says('Ctrl-C ends replication')
      const probe = `probe-${randomUUID()}`
      await write(source, 'customers', [{ key: probe, value: 'replicated still', partition: 0 }])
      const isCopied = async () => (await verdictOf('customers', 2)).code === exitCode.ok || undefined
      await until('the copy of one more record', isCopied)

      await write(target, 'customers', [{ key: 'k', value: 'a stranger', partition: 1 }])
      const { code, text } = await verdictOf('customers', 2)
      assert.equal(code, exitCode.failed)
      assert.match(text, /customers partition 1: 1 extra; first at eu-west offset \d+: /)

      demo.child.kill('SIGINT')
      assert.equal(await demo.exitCode(), exitCode.ok, demo.text)
      await demo.assertNothingLeft()
    })

    test('topics that are there already are not written to', async () => {
      const [admin] = admins
      const present = await admin?.listTopics()
      if (!present?.includes('customers')) await create('customers', admins.slice(0, 1))
      const demo = await startDemo(['--records', '1000'], env())
      assert.equal(await demo.exitCode(), exitCode.usage, demo.text)
      assert.match(demo.text, /us-east already has .*customers/)
    })
  })

  test('without Java and Docker, it says what to install', async () => {
    const demo = await startDemo([], { PATH: scratch, JAVA_HOME: '' })
    assert.equal(await demo.exitCode(), exitCode.environment)
    assert.match(demo.text, /^error: Java is needed .*\nInstall a Java runtime/m)
    await demo.assertNothingLeft()
  })

  test('a result that cannot be written is refused before anything starts', async () => {
    const file = join(scratch, 'a-file')
    await writeFile(file, '')
    const demo = await startDemo(['--json', join(file, 'result.json')])
    assert.equal(await demo.exitCode(), exitCode.usage)
    assert.match(demo.text, /cannot be written/)
  })
})
