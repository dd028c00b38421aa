import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'

/** A process of its own that starts a cluster, says so, and then does what it is told. */
const parentProgram = `
import { installKafka } from ${JSON.stringify(join(import.meta.dirname, '../../replicator/local/installation.ts'))}
import { startLocalCluster } from ${JSON.stringify(join(import.meta.dirname, '../../replicator/local/local-cluster.ts'))}
const [folder, ending] = process.argv.slice(1)
const signal = new AbortController().signal
const installation = await installKafka({}, signal)
if (ending === 'while starting') setInterval(async () => {
  const { globSync, readFileSync } = await import('node:fs')
  if (globSync(folder + '/*/broker-*.pid').some((file) => readFileSync(file, 'utf8') !== '')) process.kill(process.pid, 'SIGKILL')
}, 1)
const cluster = await startLocalCluster({ alias: 'orphan', brokers: ending === 'waiting' ? 2 : 1, installation, folder }, signal)
console.log(JSON.stringify(cluster.brokers.map(({ pid }) => pid)))
if (ending === 'by throwing') throw new Error('on purpose')
if (ending === 'by process.exit') process.exit(5)
await new Promise(() => setInterval(() => {}, 1000))
`

/** Ids of processes whose command line names the folder. */
async function processesNaming(folder: string): Promise<readonly number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const commandLine = await readFile(`/proc/${name}/cmdline`, 'utf8').catch(() => '')
    if (commandLine.includes(folder)) found.push(Number(name))
  }
  return found
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 20_000
  while (!(await condition())) {
    assert.ok(performance.now() < deadline, `${what} did not happen`)
    await delay(20)
  }
}

// /proc is where the test looks for leftovers.
describe('when the process that started a cluster is gone', {
  skip: !existsSync('/proc/self/cmdline'),
}, () => {
  let folder: string
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'causeway-orphans-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  const startParent = (ending: string) => {
    const args = ['--input-type=module', '-e', parentProgram, folder, ending]
    return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  }
  const nothingIsLeft = async () => {
    await until('the end of every process', async () => (await processesNaming(folder)).length === 0)
    await until('the removal of the folder', async () => (await readdir(folder)).length === 0)
  }

  test('by kill -9, its brokers and folder are gone too', async () => {
    const parent = startParent('waiting')
    const exited = once(parent, 'exit')
    const [line] = (await once(parent.stdout, 'data')) as [Buffer]
    const pids = JSON.parse(line.toString()) as readonly number[]
    assert.equal(pids.length, 2)
    for (const pid of pids) assert.ok((await processesNaming(folder)).includes(pid))
    parent.kill('SIGKILL')
    await exited
    await nothingIsLeft()
  })

  for (const ending of ['while starting', 'by throwing', 'by process.exit']) {
    test(`${ending}, its brokers and folder are gone too`, async () => {
      const parent = startParent(ending)
      await once(parent, 'exit')
      await nothingIsLeft()
    })
  }
})
