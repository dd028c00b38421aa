import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createOffsetLookup, type OffsetLookup } from '../../replicator/app/offset-lookup.ts'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { type CommandOutcome, runCommand } from '../../replicator/local/run-command.ts'
import type { ReadRecord } from '../kill/read-records.ts'
import { createTopics } from './create-topics.ts'
import { testBrokers } from './flow-pair.ts'
import { causewayCommand, until } from './replicate-process.ts'
import { killBeforeProgress, TrapScene } from './traps-scene.ts'

const source = testBrokers('CAUSEWAY_TEST_SOURCE')
const target = testBrokers('CAUSEWAY_TEST_TARGET')

/** As `--json` prints it. */
interface Printed {
  readonly flow: string
  readonly group?: string
  readonly leftOut: readonly string[]
  readonly positions: readonly {
    readonly topic: string
    readonly partition: number
    readonly offset: string
    readonly answer: {
      readonly kind: string
      readonly topic: string
      readonly offset?: string
      readonly from?: string
      readonly to?: string
      readonly why?: string
      readonly last?: { readonly source: string; readonly target: string }
    }
  }[]
}

/** What is in the configuration file. */
interface Configured {
  readonly name?: string
  /** The source's. */
  readonly bootstrap?: readonly string[]
}

/** The source is gone: nobody listens there. */
const alone: Configured = { bootstrap: ['127.0.0.1:1'] }

const lookupOf = ({ name }: TrapScene): OffsetLookup =>
  createOffsetLookup({
    topology: name,
    flow: { source: 'us-east', target: 'eu-west' },
    target: { bootstrap: target },
    refreshMs: 0,
  })

describe('causeway offsets translate', { timeout: 280_000 }, () => {
  let scratch: string
  let scene: TrapScene
  let original: readonly ReadRecord[]
  let copy: readonly ReadRecord[]

  /** Runs it with a configuration file of its own. */
  async function translate(
    args: readonly string[],
    { name = scene.name, bootstrap = source }: Configured = {},
  ): Promise<CommandOutcome> {
    const config = {
      name,
      pattern: 'active-passive',
      regions: {
        'us-east': { role: 'active', bootstrap },
        'eu-west': { role: 'passive', bootstrap: target },
      },
      topics: [{ name: scene.topic }, { match: 'ghost-.*' }],
    }
    const file = join(scratch, 'causeway.yaml')
    await writeFile(file, JSON.stringify(config))
    return runCommand(
      process.execPath,
      [causewayCommand, 'offsets', 'translate', '-c', file, ...args],
      {},
      AbortSignal.timeout(60_000),
    )
  }

  async function printed(args: readonly string[], code = 0, configured: Configured = {}): Promise<Printed> {
    const outcome = await translate([...args, '--json'], configured)
    assert.equal(outcome.code, code, outcome.stdout + outcome.stderr)
    return JSON.parse(outcome.stdout) as Printed
  }

  const at = (offset: bigint | number) => `${scene.topic}/0@${offset}`

  /** Transactions, markers and aborted records on the source; a killed replicator and its takeover on the target. */
  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'causeway-offsets-test-'))
    scene = await TrapScene.open({ source, target })
    const first = await scene.start()
    await scene.produce(20)
    await scene.produceInTransaction(6, 'commit')
    await scene.produceInTransaction(4, 'abort')
    await scene.produce(5)
    await scene.exact()
    await first.stop()
    const second = await scene.start()
    await scene.produce(3)
    const lookup = lookupOf(scene)
    const isWritten = async (position: bigint) =>
      (await lookup.translate(scene.topic, 0, position)).kind === 'exact' || undefined
    // Otherwise the kill may come before anything was written, or what it should lose is written at once.
    const [end] = await scene.source.listOffsets([{ topic: scene.topic, partition: 0, at: 'latest' }])
    assert(end?.result.ok)
    const { offset } = end.result.value
    await until('the map reaches the end', () => isWritten(offset))
    await lookup.close()
    await killBeforeProgress(scene, second, () => scene.produce(30))
    const third = await scene.start()
    await scene.produce(8)
    await scene.exact()
    await third.stop()
    const read = async (side: 'source' | 'target') =>
      (await scene.records(side)).get(`${scene.topic}/0`) ?? []
    original = await read('source')
    copy = await read('target')
  })
  after(async () => {
    await scene?.close()
    await rm(scratch, { recursive: true, force: true })
  })

  /** Compares answers for every position with what consumers of both sides read: the k-th record is the k-th copy. */
  async function judge(
    records: readonly ReadRecord[],
    others: readonly ReadRecord[],
    back: boolean,
    configured: Configured = {},
  ) {
    const below = (all: readonly ReadRecord[], offset: bigint) =>
      all.filter((record) => record.offset < offset).length
    // The target begins with the marker of a takeover, where there is no map.
    const [from, to] = [Number(records[0]?.offset), Number(records.at(-1)?.offset) + 1]
    const asked = Array.from({ length: to + 1 - from }, (_, index) => at(from + index))
    const { positions } = await printed(back ? ['--back', ...asked] : asked, 0, configured)
    assert.equal(positions.length, asked.length)
    const kinds = new Map<string, number>()
    for (const { offset, answer } of positions) {
      kinds.set(answer.kind, (kinds.get(answer.kind) ?? 0) + 1)
      const count = below(records, BigInt(offset))
      const [low, high] = [
        BigInt(answer.offset ?? answer.from ?? -1),
        BigInt(answer.offset ?? answer.to ?? -1),
      ]
      assert.ok(
        low >= 0n && below(others, low) <= count && below(others, high) >= count,
        `${offset}: ${low} ${high}`,
      )
      if (answer.kind === 'exact' && count < others.length) {
        const next = others[count]?.offset ?? -1n
        assert.ok(low <= next, `${offset}: ${low} skips ${next}`)
      }
    }
    return kinds
  }

  test('tells the truth about every position, both ways, from the target alone', async () => {
    const forth = await judge(original, copy, false, alone)
    const back = await judge(copy, original, true, alone)
    for (const kinds of [forth, back]) {
      assert.ok(
        (kinds.get('between') ?? 0) > 0,
        `what the kill left unwritten: ${JSON.stringify([...kinds])}`,
      )
      assert.ok((kinds.get('exact') ?? 0) >= 35, JSON.stringify([...kinds]))
      assert.deepEqual([...kinds.keys()].toSorted(), ['between', 'exact'])
    }
  })

  test('tells every position exactly, both ways, from both logs', async () => {
    assert.deepEqual([...(await judge(original, copy, false)).keys()], ['exact'])
    assert.deepEqual([...(await judge(copy, original, true)).keys()], ['exact'])
  })

  test('prints a line for each, with what can be done, and code 1 when one has no answer', async () => {
    const { positions } = await printed(
      original.map(({ offset }) => at(offset)),
      0,
      alone,
    )
    const between = positions.find(({ answer }) => answer.kind === 'between')
    assert(between !== undefined)
    const { from, to } = between.answer
    assert.equal(between.answer.why, 'unreadable')
    const known = await translate([at(0), at(BigInt(between.offset))], alone)
    assert.equal(known.code, 0, known.stderr)
    assert.equal(known.stderr, '')
    const lines = known.stdout.trimEnd().split('\n')
    assert.match(lines[0] ?? '', new RegExp(`^${at(0)} -> ${scene.topic}/0@${copy[0]?.offset} +exact$`))
    assert.ok(
      lines[1]?.startsWith(`${at(BigInt(between.offset))} -> ${scene.topic}/0@${from} to @${to}  between: `),
    )
    const bound = Number(BigInt(to ?? 0) - BigInt(from ?? 0))
    assert.match(lines[1] ?? '', new RegExp(`at most ${bound} records are read again; .*us-east`))

    const above = await translate([at(0), at(1_000_000)])
    assert.equal(above.code, 1)
    assert.match(above.stdout, / {2}not copied yet: the map ends at \d+, which is \d+ on eu-west; ask again/)
  })

  test('says where a group stands on the target, and leaves out what the flow does not copy', async () => {
    const group = `group-${scene.name}`
    const other = `other-${scene.name}`
    const { admins } = scene
    await createTopics(admins.source, [{ topic: other }])
    const position = original[22]?.offset ?? -1n
    const commit = (topic: string, offset: bigint) =>
      admins.source.setOffsets({ groupId: group, topic, partitions: [{ partition: 0, offset: `${offset}` }] })
    await commit(scene.topic, position)
    await commit(other, 0n)
    const result = await printed(['--group', group])
    assert.equal(result.group, group)
    assert.deepEqual(result.leftOut, [`${other}/0`])
    const [only] = result.positions
    assert.equal(result.positions.length, 1)
    assert.equal(only?.offset, `${position}`)
    assert.equal(only?.answer.kind, 'exact')
    assert.equal(only?.answer.offset, `${copy[22]?.offset}`)
    const text = await translate(['--group', group, '--flow', 'us-east->eu-west'])
    assert.match(text.stdout, new RegExp(`@${position} -> ${scene.topic}/0@${copy[22]?.offset} +exact\n$`))
    assert.match(text.stderr, new RegExp(`left out, because the flow does not copy them: ${other}/0`))

    const client = kafkajsClient('offsets-test', target).admin()
    await client.connect()
    const partitions = [{ partition: 0, offset: `${copy[22]?.offset}` }]
    await client.setOffsets({ groupId: group, topic: scene.topic, partitions })
    await client.disconnect()
    const back = await printed(['--group', group, '--back'])
    assert.equal(back.positions[0]?.answer.offset, `${position}`)

    const nobody = await translate(['--group', `nobody-${scene.name}`])
    assert.equal(nobody.code, 1)
    assert.match(nobody.stderr, /has committed nothing on us-east/)
  })

  test('says what is missing: the copy, the map, the partition, the topic, the flow', async () => {
    const whyOf = async (args: readonly string[], name?: string) =>
      (await printed(args, 1, name === undefined ? {} : { name })).positions.map(({ answer }) => answer.why)
    assert.deepEqual(await whyOf(['ghost-topic/0@5', `${scene.topic}/7@5`]), ['no-copy', 'not-in-map'])
    assert.deepEqual(await whyOf([at(5)], `another-${scene.name}`), ['no-map-topic'])
    const unknown = await translate(['unknown/0@5'])
    assert.equal(unknown.code, 2)
    assert.match(unknown.stderr, /^error: no flow takes topic "unknown"; give its name on the source$/m)
    const flow = await translate(['--flow', 'us-east->mars', at(5)])
    assert.equal(flow.code, 2)
    assert.match(flow.stderr, /no such flow; the topology has us-east->eu-west/)
  })

  test('is the same for applications, which follow a map that grows', async () => {
    const lookup = lookupOf(scene)
    try {
      const position = (original.at(-1)?.offset ?? 0n) + 1n
      const before = await lookup.translate(scene.topic, 0, position + 3n)
      assert.equal(before.kind, 'not-copied-yet')
      const process = await scene.start()
      await scene.produce(5)
      await scene.exact()
      await process.stop()
      const records = (await scene.records('target')).get(`${scene.topic}/0`) ?? []
      const answer = await lookup.translate(scene.topic, 0, position + 3n)
      assert.equal(answer.kind, 'exact')
      assert.equal(answer.kind === 'exact' && answer.offset, records[original.length + 3]?.offset)
    } finally {
      await lookup.close()
    }
  })
})
