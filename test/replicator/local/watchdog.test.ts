import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, test } from 'node:test'
import { startScript, startWatchdog } from '../../../replicator/local/watchdog.ts'

describe('the watchdog', { timeout: 60_000 }, () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'causeway-watchdog-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  /** Something that runs as a broker does: its command line names the folder, its id is in the folder. */
  const startBroker = () =>
    spawn('/bin/sh', ['-c', startScript, 'broker', folder, '1', process.execPath, '-e', idle, folder])
  const idle = 'console.log("up"); setInterval(() => {}, 1000)'

  test('kills brokers and removes the folder when its pipe closes', async () => {
    const watchdog = startWatchdog(folder)
    const broker = startBroker()
    const exited = once(broker, 'exit')
    await once(broker.stdout, 'data')
    await watchdog.end()
    assert.deepEqual(await exited, [null, 'SIGKILL'])
    assert.equal(existsSync(folder), false)
  })

  test('released, it leaves all as it is', async () => {
    const watchdog = startWatchdog(folder)
    const broker = startBroker()
    await once(broker.stdout, 'data')
    await watchdog.release()
    assert.equal(existsSync(folder), true)
    assert.equal(broker.exitCode ?? broker.signalCode, null)
    broker.kill('SIGKILL')
    await once(broker, 'exit')
  })

  test('spares a process that took over the id of a broker long gone', async () => {
    const stranger = spawn(process.execPath, ['-e', idle])
    await once(stranger.stdout, 'data')
    await writeFile(join(folder, 'broker-1.pid'), `${stranger.pid}\n`)
    await startWatchdog(folder).end()
    assert.equal(stranger.exitCode ?? stranger.signalCode, null)
    assert.equal(existsSync(folder), false)
    stranger.kill('SIGKILL')
    await once(stranger, 'exit')
  })

  test('a broker that starts after the end does not run', async () => {
    await writeFile(join(folder, 'ended'), '')
    const broker = startBroker()
    const [code] = await once(broker, 'exit')
    assert.equal(code, 1)
  })
})
