import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Command } from 'commander'
import { parse } from 'yaml'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { exitCode } from '../../replicator/cli/exit-codes.ts'
import { buildProgram } from '../../replicator/cli/program.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { runCommand } from '../../replicator/local/run-command.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { causewayCommand, ReplicateProcess, until } from './replicate-process.ts'

const root = join(import.meta.dirname, '../..')
const readme = readFileSync(join(root, 'README.md'), 'utf8')

/** Every command that the README names, and where it is run: `walk` is the last test here. */
const commands: Readonly<Record<string, string>> = {
  'npm ci && npm run demo': 'demo.test.ts runs the demo',
  'npm ci && npm test': 'runs this test',
  'npm run demo -- --keep': 'demo.test.ts',
  'npm run bench': 'takes long; test/bench has tests of its own',
  'npm run bench -- --offsets': 'takes minutes; test/bench has tests of its own',
  'npm run bench -- --quick': 'takes minutes; test/bench has tests of its own',
  'npm run bench:groups': 'takes minutes; test/bench has its pure parts',
  'npm run bench:kills': 'takes long; kill-storm.test.ts runs a short one',
  'npm run bench:takeover': 'takes minutes; test/bench has its pure parts',
  'npm run bench:rolling-restart': 'takes minutes; test/bench has its pure parts',
  'npm run bench:overhead -- --gigabytes 6 --part exactly-once':
    'takes minutes; test/bench has its pure parts',
  'npm run simulate -- --seed 1': 'takes its time; test/simulation runs a few seeds',
  'npm run check': 'part of npm test',
  'npm run test:unit': 'part of npm test',
  'export US_EAST_PASSWORD=...': 'the environment of the check below',
  'npx causeway topology check -c causeway.yaml': 'walk',
  'npx causeway topology schema': 'below',
  'npx causeway topology schema > causeway.schema.json': 'below',
  'npx causeway replicate -c causeway.yaml': 'walk',
  'npx causeway verify -c causeway.yaml': 'walk',
  'npx causeway flow resume -c causeway.yaml payments/0 --from next --dry-run': 'walk',
  'npx causeway flow resume --help': 'below',
  'npx causeway offsets translate -c causeway.yaml payments/0@4198': 'walk',
  'npx causeway offsets translate --help': 'below',
  'npx causeway offsets explain -c causeway.yaml --group billing': 'walk',
  'npx causeway offsets explain --help': 'below',
  'curl -s http://localhost:8480/readyz': 'walk, by fetch',
  'npx causeway local up --regions us-east,eu-west': 'walk',
  'npx causeway local up --regions us-east --secure': 'local-secure.test.ts starts such a cluster',
  'npx causeway local status': 'walk',
  'npx causeway local down': 'walk',
  'npx causeway --help': 'below',
  'npx causeway replicate --help': 'below',
  'npx causeway verify --help': 'below',
}

interface Block {
  readonly language: string
  readonly text: string
}

const blocks: readonly Block[] = [...readme.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].map(
  ([, language = '', text = '']) => ({ language, text }),
)
const prose = readme.replaceAll(/^```[\s\S]*?^```$/gm, '')

/** As links name them. */
function headingsOf(text: string): readonly string[] {
  return [...text.replaceAll(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  )
}

function commandsOfReadme(): readonly string[] {
  const shown = blocks
    .filter(({ language }) => language === 'sh')
    .flatMap(({ text }) => text.trim().split('\n'))
  const mentioned = [...prose.matchAll(/`((?:npx|npm) [^`]+)`/g)].map(([, command = '']) => command)
  return [...new Set([...shown, ...mentioned.filter((command) => command !== 'npm ci')])]
}

function allCommands(command: Command): readonly Command[] {
  return [command, ...command.commands.flatMap(allCommands)]
}

function helpOf(command: Command): string {
  let help = ''
  command.configureOutput({ writeOut: (text) => (help += text) })
  command.outputHelp()
  return help
}

const causeway = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
  runCommand(
    process.execPath,
    [causewayCommand, ...args],
    { env: { ...process.env, ...env } },
    AbortSignal.timeout(120_000),
  )

describe('the README', { timeout: 280_000 }, () => {
  let scratch: string
  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'causeway-readme-test-'))
  })
  after(() => rm(scratch, { recursive: true, force: true }))

  test('names no command that is not run somewhere', () => {
    assert.deepEqual(commandsOfReadme().toSorted(), Object.keys(commands).toSorted())
  })

  test('names scripts and commands that exist', async () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    for (const [, name = ''] of readme.matchAll(/npm run ([\w:-]+)/g)) assert.ok(scripts[name], name)
    assert.ok(existsSync(join(root, 'node_modules/.bin/causeway')), 'npm ci links the command for npx')
    const program = buildProgram()
    for (const [, words = ''] of readme.matchAll(/npx causeway((?: [a-z]+)*)/g)) {
      let at: Command | undefined = program
      for (const word of words.trim().split(' ').filter(Boolean)) {
        at = at?.commands.find((command) => command.name() === word)
        assert.ok(at, `causeway${words}`)
      }
    }
  })

  test('names options that --help knows', () => {
    const helps = allCommands(buildProgram()).map(helpOf).join('\n')
    const scripts = [
      'test/bench/options.ts',
      'test/bench/overhead/run.ts',
      'test/simulation/simulate.ts',
    ].map((file) => readFileSync(join(root, file), 'utf8'))
    const ofScripts = ['quick', 'seed', 'gigabytes', 'part'].filter((name) =>
      scripts.some((text) => text.includes(name)),
    )
    const options = new Set([...readme.matchAll(/(?<![\w-])--[a-z][a-z-]+/g)].map(([option]) => option))
    for (const option of options) {
      const known = helps.includes(option) || ofScripts.includes(option.slice(2))
      assert.ok(known, option)
    }
    assert.ok(options.size > 3)
  })

  test('names keys of causeway.yaml that the schema has, and files that exist', async () => {
    const { stdout, code } = await causeway(['topology', 'schema'])
    assert.equal(code, 0)
    const schema = JSON.parse(stdout) as Schema
    const table = readme.slice(readme.indexOf('## causeway.yaml')).split('\n## ')[0] ?? ''
    const keys = [...table.matchAll(/^\| `([\w.<>]+)` \|/gm)].map(([, key = '']) => key)
    assert.ok(keys.length >= 10)
    for (const key of keys) assert.ok(hasKey(schema, key.split('.')), key)
    const top = new Set(keys.map((key) => key.split('.')[0]))
    const required = ['name', 'regions', 'topics', 'flows', 'replication', 'pattern', 'http']
    assert.deepEqual(
      required.filter((key) => !top.has(key)),
      [],
    )

    const files = [...readme.matchAll(/`((?:replicator|test)\/[\w./-]+)`/g)].map(([, file = '']) => file)
    const links = [...readme.matchAll(/\]\((?!http|#)([^)]+)\)/g)].map(([, file = '']) => file)
    // The benchmark writes these.
    const made = /^docs\/bench\./
    for (const link of [...files, ...links].filter((one) => !made.test(one))) {
      const [file = '', anchor] = link.split('#')
      assert.ok(existsSync(join(root, file)), link)
      if (anchor !== undefined)
        assert.ok(headingsOf(readFileSync(join(root, file), 'utf8')).includes(anchor), link)
    }
    for (const [, anchor = ''] of readme.matchAll(/\]\(#([^)]+)\)/g))
      assert.ok(headingsOf(readme).includes(anchor), anchor)
  })

  test('shows YAML that is sound, and what checking it prints', async () => {
    const yaml = blocks.filter(({ language }) => language === 'yaml')
    assert.equal(yaml.length, 1)
    const file = join(scratch, 'causeway.yaml')
    await writeFile(file, yaml[0]?.text ?? '')
    const { code, stdout, stderr } = await causeway(['topology', 'check', '-c', file], {
      US_EAST_PASSWORD: 'secret',
    })
    assert.equal(code, 0, stderr)
    assert.equal(stderr, '')
    assert.ok(
      blocks.some(({ language, text }) => language === '' && text === stdout),
      stdout,
    )
  })

  test('sends readers to a --help with every exit code', async () => {
    const { stdout } = await causeway(['--help'])
    const table = stdout.slice(stdout.indexOf('Exit codes:'), stdout.indexOf('Examples:'))
    const codes = [...table.matchAll(/^ {2}(\d+) /gm)].map(([, code]) => Number(code))
    assert.deepEqual(codes, Object.values(exitCode))
    const replicate = await causeway(['replicate', '--help'])
    for (const code of codes) assert.match(replicate.stdout, new RegExp(`\\b${code} [a-z]`))
  })

  test('leads from nothing to replicated records', async () => {
    const env = { XDG_STATE_HOME: join(scratch, 'state'), HOME: scratch, XDG_CACHE_HOME: cacheHome() }
    const up = await causeway(['local', 'up', '--regions', 'us-east,eu-west', '--json'], env)
    assert.equal(up.code, 0, up.stderr)
    try {
      const { regions } = JSON.parse(up.stdout) as {
        readonly regions: readonly { readonly region: string; readonly bootstrap: readonly string[] }[]
      }
      assert.deepEqual(
        regions.map(({ region }) => region),
        ['us-east', 'eu-west'],
      )
      const status = await causeway(['local', 'status'], env)
      assert.equal(status.code, 0, status.stderr)
      for (const { region, bootstrap } of regions)
        assert.match(status.stdout, new RegExp(`^${region}  up  1/1 brokers  ${bootstrap.join(',')}$`, 'm'))

      const shown = parse(blocks.find(({ language }) => language === 'yaml')?.text ?? '') as {
        regions: Record<string, object>
      }
      for (const { region, bootstrap } of regions)
        shown.regions[region] = { ...shown.regions[region], bootstrap, security: undefined }
      await replicateAsShown(shown, regions[0]?.bootstrap ?? [], regions[1]?.bootstrap ?? [])
    } finally {
      const down = await causeway(['local', 'down'], env)
      assert.equal(down.stdout.trim(), 'Ended: us-east, eu-west')
    }
    assert.match((await causeway(['local', 'status'], env)).stdout, /^No clusters\./)
  })

  /** The README's table holds other numbers, and is otherwise what is printed. */
  async function verifyAsShown(configFile: string) {
    const shown = blocks.find(({ text }) => text.includes('IDENTICAL'))?.text.split('\n') ?? []
    const { code, stdout, stderr } = await causeway(['verify', '-c', configFile])
    assert.equal(code, 0, stdout + stderr)
    const printed = stdout.split('\n')
    assert.equal(printed[0], shown[0])
    const words = (line: string | undefined) => line?.split(/\s+/)
    const shape = (line: string | undefined) => line?.replaceAll(/\d+( \d{3})*/g, 'N')
    assert.deepEqual(words(printed[1]), words(shown[1]))
    assert.match(printed[3] ?? '', /^ledger\.eu +ledger\.eu +0 +\d+ +\d+ +[0-9a-f]{8} +identical$/)
    assert.match(shown[3] ?? '', /^ledger\.eu +ledger\.eu +0 +[\d ]+ +[0-9a-f]{8} +identical$/)
    assert.equal(shape(printed.at(-2)), shape(shown.at(-2)))
  }

  /** Likewise: the offset is another one. */
  async function resumeAsShown(configFile: string) {
    const shown = blocks.find(({ text }) => text.includes('would go on'))?.text ?? ''
    const args = ['payments/0', '--from', 'next', '--dry-run']
    const { code, stdout, stderr } = await causeway(['flow', 'resume', '-c', configFile, ...args])
    assert.equal(code, 0, stdout + stderr)
    assert.equal(stdout.replaceAll(/offset \d+/g, 'offset N'), shown.replaceAll(/offset \d+/g, 'offset N'))
  }

  /** Likewise: the offsets are others. */
  async function translateAsShown(configFile: string, partition: number) {
    const shown = blocks.find(({ text }) => text.trimEnd().endsWith('exact'))?.text
    const args = ['offsets', 'translate', '-c', configFile, `payments/${partition}@1`]
    const { code, stdout, stderr } = await causeway(args)
    assert.equal(code, 0, stdout + stderr)
    const shape = (text: string | undefined) => text?.replaceAll(/\d+/g, 'N')
    assert.equal(shape(stdout), shape(shown))
  }

  /** Likewise. */
  async function explainAsShown(replicate: ReplicateProcess, source: readonly string[], partition: number) {
    const cluster = createKafkaCluster({
      alias: regionAlias('us-east'),
      settings: { clientId: 'readme', bootstrap: source },
      clock: systemClock,
      random: systemRandom,
    })
    const commit = { topic: 'payments', partition, offset: 1n, metadata: '', leaderEpoch: undefined }
    await cluster.commitGroupOffsets('billing', [commit])
    await cluster.close()
    const shown = blocks.find(({ text }) => text.startsWith('billing  us-east->eu-west'))?.text
    const shape = (text: string | undefined) => text?.replaceAll(/\d+/g, 'N')
    let printed = ''
    await until(
      'the group as it is shown',
      async () => {
        const args = ['offsets', 'explain', '-c', replicate.configFile, '--group', 'billing']
        const { stdout, stderr } = await causeway(args)
        printed = stdout + stderr
        return shape(stdout) === shape(shown) || undefined
      },
      () => `printed:\n${printed}\nshown:\n${shown}`,
    )
  }

  async function replicateAsShown(config: object, source: readonly string[], target: readonly string[]) {
    const replicate = await ReplicateProcess.start(scratch, config)
    try {
      const checked = await causeway(['topology', 'check', '-c', replicate.configFile])
      assert.match(checked.stdout, /^Sound\.$/m)
      await replicate.ready()
      const kafka = kafkajsClient('readme', source)
      const producer = kafka.producer()
      await producer.connect()
      const topics = ['payments', 'ledger.eu', 'ledger.tmp.scratch']
      const admins = [kafka.admin(), kafkajsClient('readme', target).admin()] as const
      await Promise.all(admins.map((admin) => admin.connect()))
      await admins[0].createTopics({ topics: topics.map((topic) => ({ topic, numPartitions: 6 })) })
      for (const topic of topics) await producer.send({ topic, messages: [{ key: 'k', value: topic }] })
      await producer.disconnect()
      for (const topic of topics.slice(0, 2)) {
        await until(
          `the record of ${topic}`,
          async () => {
            const offsets = await admins[1].fetchTopicOffsets(topic).catch(() => [])
            // The marker of the takeover, and the record.
            return offsets.some(({ high }) => Number(high) >= 2) || undefined
          },
          () => replicate.text,
        )
      }
      assert.ok(!(await admins[1].listTopics()).includes('ledger.tmp.scratch'))
      const written = (await admins[0].fetchTopicOffsets('payments')).find(({ high }) => high === '1')
      await Promise.all(admins.map((admin) => admin.disconnect()))
      await explainAsShown(replicate, source, written?.partition ?? -1)
      await verifyAsShown(replicate.configFile)
      await resumeAsShown(replicate.configFile)
      const line = blocks.find(({ language }) => language === 'json')?.text ?? ''
      const created = await replicate.logged('target-topic-created', { topic: 'payments' })
      assert.deepEqual({ ...created, time: '' }, { ...JSON.parse(line), time: '' })
      await replicate.stop()
      await translateAsShown(replicate.configFile, written?.partition ?? -1)
    } finally {
      await replicate.kill()
    }
  }
})

/** Kafka itself is not downloaded again. */
function cacheHome(): string {
  const { XDG_CACHE_HOME: cache, HOME: home } = process.env
  return cache === undefined || cache === '' ? join(home ?? '', '.cache') : cache
}

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | boolean
}

function hasKey(schema: Schema, [key, ...rest]: readonly string[]): boolean {
  if (key === undefined) return true
  const { properties, additionalProperties } = schema
  const inside = key.startsWith('<') ? additionalProperties : properties?.[key]
  return typeof inside === 'object' && hasKey(inside, rest)
}
