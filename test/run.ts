/**
 * Runs everything that must hold: lint and format, types, unit tests, and the tests against real brokers.
 *
 *   npm test                       all of it
 *   npm run test:unit              without brokers and without test/integration
 *   npm test -- topology           only test files whose path contains "topology"; no lint, no types
 */
import { spawn } from 'node:child_process'
import { glob, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from 'node:test'
import { spec } from 'node:test/reporters'
import { installKafka } from '../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../replicator/local/local-cluster.ts'

const root = join(import.meta.dirname, '..')
const integration = join('test', 'integration')
/** Real brokers share the machine with the tests: more at once only makes each wait longer. */
const filesAtOnce = 2
const fileTimeoutMs = 300_000

const say = (text: string) => process.stdout.write(`${text}\n`)

async function testFiles(unitOnly: boolean, filters: readonly string[]): Promise<readonly string[]> {
  const files: string[] = []
  for await (const file of glob('test/**/*.test.ts', { cwd: root })) files.push(file)
  const wanted = files
    .filter((file) => !(unitOnly && file.startsWith(integration)))
    .filter((file) => filters.length === 0 || filters.some((filter) => file.includes(filter)))
    .sort()
  const slow = (file: string) => file.startsWith(integration)
  return [...wanted.filter((file) => !slow(file)), ...wanted.filter(slow)]
}

/** Runs a program of the workspace, its output on ours; true when it succeeds. */
function succeeds(name: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve) => {
    const program = join(root, 'node_modules', '.bin', name)
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
    child.on('error', (error) => {
      say(`${name} does not run: ${error.message}. Did \`npm ci\` succeed?`)
      resolve(false)
    })
    child.on('exit', (code) => resolve(code === 0))
  })
}

/** Starts the clusters that integration tests share and tells their addresses in the environment. */
async function startBrokers(clusters: LocalCluster[], signal: AbortSignal): Promise<void> {
  const installation = await installKafka({ onProgress: say }, signal)
  const logs = join(root, '.causeway', 'test-logs')
  await rm(logs, { recursive: true, force: true })
  const start = async (alias: string, secure: boolean) => {
    const cluster = await startLocalCluster(
      { alias, secure, installation, logFolder: join(logs, alias) },
      signal,
    )
    clusters.push(cluster)
    return cluster
  }
  const [source, target, secured] = await Promise.all([
    start('test-source', false),
    start('test-target', false),
    start('test-secure', true),
  ])
  process.env.CAUSEWAY_TEST_SOURCE = source.bootstrap[0]
  process.env.CAUSEWAY_TEST_TARGET = target.bootstrap[0]
  process.env.CAUSEWAY_TEST_SECURE = secured.secure?.clientCredentialsFile
}

/** Runs the files, unit tests first; true when all pass. The runner's closing lines are the last output. */
async function runTests(files: readonly string[]): Promise<boolean> {
  let passed = true
  const events = run({ files: [...files], cwd: root, concurrency: filesAtOnce, timeout: fileTimeoutMs })
  events.on('test:fail', (data) => {
    if (data.todo === undefined || data.todo === false) passed = false
  })
  for await (const text of events.compose(new spec())) process.stdout.write(text)
  return passed
}

async function main(args: readonly string[]): Promise<boolean> {
  const unitOnly = args.includes('--unit')
  const filters = args.filter((arg) => !arg.startsWith('--'))
  const files = await testFiles(unitOnly, filters)
  if (files.length === 0) {
    say(`No test file matches ${filters.join(', ')}.`)
    return false
  }
  let clean = true
  if (filters.length === 0) {
    clean = (await succeeds('biome', ['check', '.'])) && clean
    clean = (await succeeds('tsc', ['--noEmit'])) && clean
  }
  const stop = new AbortController()
  const onSignal = () => stop.abort(new Error('stopped by a signal'))
  process.once('SIGTERM', onSignal)
  const clusters: LocalCluster[] = []
  try {
    if (files.some((file) => file.startsWith(integration))) await startBrokers(clusters, stop.signal)
    const passed = await runTests(files)
    return passed && clean
  } finally {
    await Promise.all(clusters.map((cluster) => cluster.stop()))
  }
}

process.exit((await main(process.argv.slice(2))) ? 0 : 1)
