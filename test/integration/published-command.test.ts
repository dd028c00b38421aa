import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { buildCommand } from '../../replicator/packaging/build-command.ts'
import { testBrokers } from './flow-pair.ts'
import { TrapScene } from './traps-scene.ts'

// Under this tree, so that it finds the packages that are not in the bundle.
const folder = join(import.meta.dirname, `../../.causeway/published-${process.pid}`)
const run = promisify(execFile)
let command = ''

before(async () => {
  command = await buildCommand(folder)
})
after(() => rm(folder, { recursive: true, force: true }))

describe('the command as it is published', { timeout: 120_000 }, () => {
  test('knows its version and its commands', async () => {
    const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    assert.equal((await run(process.execPath, [command, '--version'])).stdout.trim(), version)
    const help = await run(process.execPath, [command, '--help'])
    const tree = await run(process.execPath, [
      join(import.meta.dirname, '../../replicator/cli/causeway.js'),
      '--help',
    ])
    assert.equal(help.stdout, tree.stdout)
  })

  test('needs no packages but those it names', async () => {
    const { dependencies } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
    assert.deepEqual(Object.keys(dependencies).sort(), ['@node-rs/crc32', 'lz4-napi', 'snappy'])
  })

  test('finds the files beside it', async () => {
    for (const name of ['cli/pom.xml', 'cli/causeway.yaml', 'dist/native.wasm'])
      assert((await stat(join(folder, name))).size > 0, name)
  })

  test('copies a topic', async () => {
    const scene = await TrapScene.open({
      source: testBrokers('CAUSEWAY_TEST_SOURCE'),
      target: testBrokers('CAUSEWAY_TEST_TARGET'),
      command,
    })
    try {
      await scene.produce(25)
      const process = await scene.start()
      await scene.exact()
      await process.stop()
    } finally {
      await scene.close()
    }
  })
})
