import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, describe, test } from 'node:test'
import { Command } from 'commander'
import { registerTopology } from '../../../../replicator/cli/commands/topology.ts'
import { exitCode } from '../../../../replicator/cli/exit-codes.ts'
import { sound } from '../../config/files.ts'

const directory = mkdtempSync(join(tmpdir(), 'causeway-check-'))
const file = join(directory, 'causeway.yaml')
after(() => rmSync(directory, { recursive: true }))

function run(...words: string[]): { code: unknown; out: string; err: string } {
  const printed = { out: '', err: '' }
  const program = new Command('causeway').exitOverride().configureOutput({
    writeOut: (text) => {
      printed.out += text
    },
    writeErr: (text) => {
      printed.err += text
    },
  })
  registerTopology(program)
  try {
    program.parse(['topology', ...words], { from: 'user' })
    return { code: process.exitCode, ...printed }
  } finally {
    process.exitCode = undefined
  }
}

describe('causeway topology', () => {
  test('check prints regions and flows of a sound file', () => {
    writeFileSync(file, sound.head + sound.regions + sound.topics)
    const { code, out, err } = run('check', '-c', file)
    assert.equal(code, exitCode.ok)
    assert.equal(err, '')
    assert.match(out, /us-east {2}active {3}us:9092 {2}plaintext, no log-in/)
    assert.match(
      out,
      /us-east -> eu-west {2}identity naming, runs at the source\n {4}topics payments\nSound\.\n$/,
    )
    const json = JSON.parse(run('check', '-c', file, '--json').out)
    assert.equal(json.ok, true)
    assert.equal(json.topology.flows[0].id, 'us-east->eu-west')
  })

  test("check prints notes on the keys of MirrorMaker 2's files", () => {
    const properties = join(directory, 'mm2.properties')
    const lines = ['clusters = A, B', 'bootstrap.servers = x:1', 'A->B.enabled = true', 'tasks.max = 2']
    writeFileSync(properties, lines.join('\n'))
    const { code, out, err } = run('check', '-c', properties)
    assert.equal(code, exitCode.ok)
    assert.match(err, /^note: .*mm2\.properties:4 tasks\.max: not needed: There are no tasks/m)
    assert.match(out, /A -> B {2}prefixed naming, runs at the target/)
    const json = JSON.parse(run('check', '-c', properties, '--json').out)
    assert.deepEqual(json.notes.at(-1), {
      ...{ file: properties, line: 4, column: 1, key: 'tasks.max', kind: 'not-needed' },
      message: json.notes.at(-1).message,
    })
  })

  test("check prints which of MirrorMaker 2's topics a flow writes, and where", () => {
    writeFileSync(
      file,
      `${sound.head}${sound.regions}${sound.topics}replication: { mirrorMakerTopics: true }\n`,
    )
    const { out } = run('check', '-c', file)
    assert.match(
      out,
      / {4}writes mm2-offset-syncs\.eu-west\.internal, heartbeats on us-east; us-east\.checkpoints\.internal, heartbeats on eu-west\nSound/,
    )
    const properties = join(directory, 'mm2.properties')
    const lines = ['clusters = A, B', 'bootstrap.servers = x:1', 'A->B.enabled = true']
    const written = (...more: string[]) => {
      writeFileSync(properties, [...lines, ...more].join('\n'))
      return / {4}writes (.*)/.exec(run('check', '-c', properties).out)?.[1]
    }
    const all = 'mm2-offset-syncs.B.internal, heartbeats on A; A.checkpoints.internal, heartbeats on B'
    assert.equal(written(), all)
    assert.equal(
      written('offset-syncs.topic.location = target', 'B->A.emit.heartbeats.enabled = false'),
      'mm2-offset-syncs.A.internal, A.checkpoints.internal, heartbeats on B',
    )
    assert.equal(
      written('emit.offset-syncs.enabled = false', 'A->B.emit.heartbeats.enabled = false'),
      'heartbeats on A; A.checkpoints.internal on B',
    )
    const off = ['offset-syncs', 'checkpoints', 'heartbeats'].map((kind) => `emit.${kind}.enabled = false`)
    assert.equal(written(...off), undefined)
  })

  test('check prints every problem of a bad one', () => {
    writeFileSync(
      file,
      `${sound.head}${sound.regions}topics: [{ matches: x }]\nfailover: { mode: automatic }\n`,
    )
    const { code, out, err } = run('check', '-c', file)
    assert.equal(code, exitCode.usage)
    assert.equal(out, '')
    assert.equal(err.trimEnd().split('\n').length, 2)
    assert.match(
      err,
      /causeway\.yaml:6:12 topics\[0\]\.matches: unknown key "matches"; did you mean "match"\?/,
    )
    const json = JSON.parse(run('check', '-c', file, '--json').out)
    assert.deepEqual(
      { ok: json.ok, line: json.problems[0].line, column: json.problems[0].column },
      { ok: false, line: 6, column: 12 },
    )
  })

  test('check answers no to a topology that is refused to run', () => {
    const regions = 'regions: { a: { bootstrap: a:1 }, b: { bootstrap: b:1 }, c: { bootstrap: c:1 } }\n'
    const ring = 'flows: [{ source: a, target: b }, { source: b, target: c }, { source: c, target: a }]\n'
    const naming = 'replication: { naming: identity }\n'
    writeFileSync(file, `name: m\n${regions}${ring}${naming}${sound.topics}`)
    const { code, out } = run('check', '-c', file)
    assert.equal(code, exitCode.failed)
    assert.match(out, /refused to run:\n {2}a->b forwards only what a's own clients write/)
    assert.equal(JSON.parse(run('check', '-c', file, '--json').out).refusals[0].code, 'identity-gap')
  })

  test('schema prints the JSON Schema', () => {
    assert.equal(JSON.parse(run('schema').out).title, 'causeway.yaml')
  })
})
