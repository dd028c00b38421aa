import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { parse } from 'yaml'
import { loadConfig } from '../../../replicator/config/load-config.ts'
import { causeway } from './causeway.ts'
import { mirrorMaker2AsShipped, mirrorMaker2Tuned, mirrorMaker2WithGroups } from './mirrormaker2.ts'
import { redpandaConnect } from './redpanda-connect.ts'
import type { CopyJob, System } from './system.ts'

const java = { javaPath: '/usr/bin/java', classPath: 'a.jar:b.jar' }
let job: CopyJob

before(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'causeway-bench-test-'))
  job = { id: '7', folder, sourceBootstrap: '127.0.0.1:1', targetBootstrap: '127.0.0.1:2', topic: 'bench' }
})
after(() => rm(job.folder, { recursive: true }))

async function configOf(system: System): Promise<string> {
  const { args } = await system.prepare(job)
  return readFile(args.at(-1)!, 'utf8')
}

describe('MirrorMaker 2', () => {
  test('as shipped sets nothing that bears on speed', async () => {
    const config = await configOf(mirrorMaker2AsShipped(java))
    assert.match(config, /^source7->target7\.topics = bench$/m)
    assert.match(config, /^source7\.bootstrap\.servers = 127\.0\.0\.1:1$/m)
    assert.doesNotMatch(config, /consumer|producer|tasks/)
  })

  test('tuned differs by client settings only, at the places where they take effect', async () => {
    const shipped = (await configOf(mirrorMaker2AsShipped(java))).trim().split('\n')
    const tuned = (await configOf(mirrorMaker2Tuned(java))).trim().split('\n')
    const added = tuned.filter((line) => !shipped.includes(line))
    assert.deepEqual(tuned.slice(0, shipped.length), shipped)
    assert.ok(added.every((line) => /^(source7->target7\.source\.consumer|target7\.producer)\./.test(line)))
    assert.ok(added.includes('source7->target7.source.consumer.max.poll.records = 10000'))
    assert.ok(added.includes('source7->target7.source.consumer.max.partition.fetch.bytes = 4194304'))
    assert.ok(added.includes('target7.producer.batch.size = 524288'))
  })

  test('carries groups over where it is told to', async () => {
    const system = mirrorMaker2WithGroups(java)
    const { args } = await system.prepare({ ...job, groups: 'some-.*' })
    const config = await readFile(args.at(-1)!, 'utf8')
    assert.match(config, /^source7->target7\.groups = some-\.\*$/m)
    assert.match(config, /^source7->target7\.sync\.group\.offsets\.enabled = true$/m)
    assert.doesNotMatch(config, /offset\.lag\.max/)
  })

  test('names its copy after the source', () =>
    assert.equal(mirrorMaker2Tuned(java).targetTopic(job), 'source7.bench'))
})

test('Causeway is configured with the least that a user writes, and accepts it', async () => {
  const text = await configOf(causeway())
  assert.deepEqual(Object.keys(parse(text)), ['name', 'pattern', 'regions', 'flows', 'http'])
  const loaded = loadConfig({ path: 'causeway.yaml', readFile: () => Buffer.from(text), environment: {} })
  assert.ok(loaded.ok, JSON.stringify(loaded))
  const flow = loaded.config.topology.flows[0]!
  assert.deepEqual(
    [flow.source, flow.target, flow.naming],
    ['source7', 'target7', { kind: 'prefixed', separator: '.' }],
  )
  assert.deepEqual(flow.groups, [])
  assert.equal(causeway().targetTopic(job), 'source7.bench')
})

test('Causeway follows the groups that it is told to', async () => {
  const { args } = await causeway().prepare({ ...job, groups: 'some-.*' })
  const readFile = () => Buffer.from(readFileSync(args.at(-1)!))
  const loaded = loadConfig({ path: 'causeway.yaml', readFile, environment: {} })
  assert.ok(loaded.ok, JSON.stringify(loaded))
  assert.equal(loaded.config.topology.flows[0]!.groups.length, 1)
})

test('Redpanda Connect is used where PATH has it, and named as missing elsewhere', async () => {
  assert.match(redpandaConnect('/nowhere:').missing()!, /not on PATH/)
  const program = join(job.folder, 'redpanda-connect')
  await writeFile(program, '')
  assert.match(redpandaConnect(job.folder).missing()!, /not on PATH/)
  await chmod(program, 0o755)
  const system = redpandaConnect(`/nowhere:${job.folder}`)
  assert.equal(system.missing(), undefined)
  assert.equal((await system.prepare(job)).file, program)
  const { input, output } = parse(await configOf(system))
  assert.deepEqual(
    [input.redpanda.seed_brokers, output.redpanda.seed_brokers],
    [['127.0.0.1:1'], ['127.0.0.1:2']],
  )
  assert.equal(output.redpanda.topic, system.targetTopic(job))
  assert.equal(output.redpanda.partition, `$\{! @kafka_partition }`)
})
