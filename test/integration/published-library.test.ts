import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { buildApp } from '../../replicator/packaging/build-app.ts'
import { buildCommand } from '../../replicator/packaging/build-command.ts'
import { testBrokers } from './flow-pair.ts'

// Under this tree, so that it finds the packages that are not in the bundle.
const folder = join(import.meta.dirname, `../../.causeway/library-${process.pid}`)
const user = join(folder, 'user')
const installed = join(user, 'node_modules/@causeway/replicator')
const tsc = fileURLToPath(new URL('../bin/tsc', import.meta.resolve('typescript')))
const run = promisify(execFile)

/** Runs it, and gives back what it said, however it ended. */
async function outcomeOf(args: readonly string[]): Promise<string> {
  const { stdout, stderr } = await run(process.execPath, [...args], { cwd: user }).catch(
    (failed: { stdout: string; stderr: string }) => failed,
  )
  return stdout + stderr
}

/** Packed and unpacked as registries and installers do; what it depends on is in this tree. */
before(async () => {
  const packed = join(folder, 'package')
  await buildCommand(packed)
  await buildApp(packed)
  await run('npm', ['pack', '--offline', '--pack-destination', folder], { cwd: packed })
  const tarball = (await readdir(folder)).find((name) => name.endsWith('.tgz'))
  assert(tarball !== undefined)
  await mkdir(installed, { recursive: true })
  await run('tar', ['-xzf', join(folder, tarball), '-C', installed, '--strip-components', '1'])
  await writeFile(join(user, 'package.json'), JSON.stringify({ name: 'user', type: 'module' }))
})
after(() => rm(folder, { recursive: true, force: true }))

describe('the library as it is published', { timeout: 120_000 }, () => {
  test('holds no TypeScript but declarations, and speaks of no package that its users have not got', async () => {
    const files = await readdir(installed, { recursive: true })
    assert(files.includes(join('app', 'offset-lookup.js')))
    assert.deepEqual(
      files.filter((name) => /\.[cm]?ts$/.test(name) && !name.endsWith('.d.ts')),
      [],
    )
    const declared = files.filter((name) => name.endsWith('.d.ts'))
    assert(declared.length > 3)
    for (const name of declared) {
      const text = await readFile(join(installed, name), 'utf8')
      assert.doesNotMatch(text, /(from |import\()'(?!\.|node:)/, name)
      assert.doesNotMatch(text, /\.ts'/, name)
    }
  })

  test('answers a program in JavaScript, from real clusters', async () => {
    const settings = {
      topology: 'nobody-runs-this',
      flow: { source: 'us-east', target: 'eu-west' },
      target: { bootstrap: testBrokers('CAUSEWAY_TEST_TARGET') },
      source: { bootstrap: testBrokers('CAUSEWAY_TEST_SOURCE') },
    }
    await writeFile(
      join(user, 'user.js'),
      `import { createOffsetLookup, KafkaError, MapFormatError, Secret } from '@causeway/replicator/app'
      const lookup = createOffsetLookup(${JSON.stringify(settings)})
      const answer = await lookup.translate('payments', 0, 4198n)
      await lookup.close()
      const names = [KafkaError, MapFormatError, Secret].map(({ name }) => name)
      console.log(JSON.stringify({ answer, names, secret: new Secret('x') }))`,
    )
    assert.deepEqual(JSON.parse(await outcomeOf(['user.js'])), {
      answer: { topic: 'payments', partition: 0, kind: 'no-map', why: 'no-map-topic' },
      names: ['KafkaError', 'MapFormatError', 'Secret'],
      secret: '[secret]',
    })
  })

  test('is typed for a program in TypeScript, under the strictest settings', async () => {
    const compilerOptions = {
      target: 'es2023',
      module: 'nodenext',
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      exactOptionalPropertyTypes: true,
      types: ['node'],
    }
    await writeFile(join(user, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['user.ts'] }))
    const program = (more: string) => `
      import { createOffsetLookup, type OffsetLookup, Secret, type TranslatedOffset } from '@causeway/replicator/app'
      const sasl = { mechanism: 'plain', username: 'app', password: new Secret('x') } as const
      export const lookup: OffsetLookup = createOffsetLookup({
        topology: 'payments',
        flow: { source: 'us-east', target: 'eu-west', naming: { kind: 'prefixed', separator: '.' } },
        target: { bootstrap: ['eu-west.example:9092'], sasl },
      })
      export const answer: TranslatedOffset = await lookup.translate('payments', 0, 4198n)
      export const next: bigint | undefined =
        answer.kind === 'exact' ? answer.offset : answer.kind === 'between' ? answer.from : undefined
      ${more}`
    await writeFile(join(user, 'user.ts'), program(''))
    assert.equal(await outcomeOf([tsc, '-p', '.']), '')
    await writeFile(join(user, 'user.ts'), program('export const wrong = answer.offset\nlookup.translate(1)'))
    const told = await outcomeOf([tsc, '-p', '.'])
    assert.match(told, /Property 'offset' does not exist/)
    assert.match(told, /TS2554/)
  })
})
