import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { type CommandOutcome, runCommand } from '../../replicator/local/run-command.ts'
import type { ReadRecord } from '../kill/read-records.ts'
import { createTopics } from './create-topics.ts'
import { testBrokers } from './flow-pair.ts'
import { GroupReader, SceneGroup } from './groups-scene.ts'
import { causewayCommand, type ReplicateProcess, until } from './replicate-process.ts'
import { TrapScene } from './traps-scene.ts'

const source = testBrokers('CAUSEWAY_TEST_SOURCE')
const target = testBrokers('CAUSEWAY_TEST_TARGET')
const groups = [{ match: '.*', exclude: 'left-.*' }]
/** Nobody listens there. */
const nowhere = ['127.0.0.1:1']

/** As `--json` prints it. */
interface Printed {
  readonly source: { readonly kind: string }
  readonly target: { readonly kind: string; readonly members: number }
  readonly leftAlone?: string
  readonly leftOut: readonly string[]
  readonly partitions: readonly {
    readonly topic: string
    readonly reason: string
    readonly isInStep: boolean
    readonly source?: { readonly position: string }
    readonly target?: { readonly offset: string; readonly metadata: string }
    readonly place?: { readonly kind: string; readonly offset?: string }
    readonly whose: {
      readonly kind: string
      readonly followed?: { readonly position: string; readonly offset: string; readonly atMs: number }
      readonly former?: { readonly position: string; readonly offset: string }
    }
    readonly why?: string
    readonly wayOut?: string
  }[]
}

describe('causeway offsets explain', { timeout: 280_000 }, () => {
  let scratch: string
  let scene: TrapScene
  let replicator: ReplicateProcess
  let original: readonly ReadRecord[]
  let copy: readonly ReadRecord[]
  const position = (index: number): bigint => original[index]?.offset ?? -1n
  const place = (index: number): bigint => copy[index]?.offset ?? -1n

  async function explain(args: readonly string[], bootstrap = source): Promise<CommandOutcome> {
    const config = {
      name: scene.name,
      pattern: 'active-passive',
      regions: {
        'us-east': { role: 'active', bootstrap },
        'eu-west': { role: 'passive', bootstrap: target },
      },
      topics: [{ name: scene.topic }],
      groups,
    }
    const file = join(scratch, 'causeway.yaml')
    await writeFile(file, JSON.stringify(config))
    const command = [causewayCommand, 'offsets', 'explain', '-c', file, ...args]
    return runCommand(process.execPath, command, {}, AbortSignal.timeout(60_000))
  }

  async function explained(
    { name }: Pick<SceneGroup, 'name'>,
    code: number,
    bootstrap = source,
  ): Promise<Printed & { readonly only: Printed['partitions'][number] }> {
    const outcome = await explain(['--group', name, '--json'], bootstrap)
    assert.equal(outcome.code, code, outcome.stdout + outcome.stderr)
    const printed = JSON.parse(outcome.stdout) as Printed
    const [only] = printed.partitions
    assert(only !== undefined, outcome.stdout)
    return { ...printed, only }
  }

  /** A group that the flow has followed. */
  async function followedAt(index: number, metadata = ''): Promise<SceneGroup> {
    const group = new SceneGroup(scene)
    await group.commit(position(index), { metadata })
    await group.stands(place(index))
    return group
  }

  before(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'causeway-explain-test-'))
    scene = await TrapScene.open({ source, target })
    await scene.produce(20)
    // Aborted records and markers make the offsets of the two sides differ.
    await scene.produceInTransaction(6, 'commit')
    await scene.produceInTransaction(4, 'abort')
    await scene.produce(20)
    replicator = await scene.start({ groups })
    await scene.exact()
    const read = async (side: 'source' | 'target') =>
      (await scene.records(side)).get(`${scene.topic}/0`) ?? []
    original = await read('source')
    copy = await read('target')
  })
  after(async () => {
    await scene?.close()
    await rm(scratch, { recursive: true, force: true })
  })

  test('of a group that was followed: whose commit it is, for which position, and when', async () => {
    const from = Date.now()
    const group = await followedAt(30, 'as attached')
    const { only, leftAlone, target: onTarget } = await explained(group, 0)
    assert.equal(leftAlone, undefined)
    assert.deepEqual([onTarget.kind, onTarget.members], ['empty', 0])
    assert.deepEqual([only.reason, only.isInStep], ['in-step', true])
    assert.equal(only.source?.position, `${position(30)}`)
    assert.deepEqual(only.target, { offset: `${place(30)}`, metadata: 'as attached' })
    assert.deepEqual([only.place?.kind, only.place?.offset], ['exact', `${place(30)}`])
    const { followed } = only.whose
    assert.deepEqual([followed?.position, followed?.offset], [`${position(30)}`, `${place(30)}`])
    assert(followed !== undefined && followed.atMs >= from && followed.atMs <= Date.now())
    assert.notEqual(position(30), place(30))

    const text = await explain(['--group', group.name])
    assert.equal(text.code, 0, text.stderr)
    const lines = text.stdout.trimEnd().split('\n')
    assert.equal(lines[0], `${group.name}  us-east->eu-west`)
    assert.match(lines[2] ?? '', /^ {2}eu-west {2}classic group, Empty, no members$/)
    assert.equal(lines[3], `${scene.topic}/0  in step`)
    assert.match(
      lines[4] ?? '',
      new RegExp(
        `^  eu-west  ${place(30)}, committed by the flow for ${position(30)} on us-east, \\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d UTC$`,
      ),
    )
    assert.equal(lines[5], `  us-east  ${position(30)}, which is exactly ${place(30)} on eu-west`)
    assert.equal(lines.length, 6)
  })

  test('with the source gone: from the target alone', async () => {
    const group = await followedAt(12)
    const { only, source: onSource } = await explained(group, 0, nowhere)
    assert.equal(onSource.kind, 'unknown')
    assert.deepEqual(
      [only.reason, only.isInStep, only.whose.followed?.position],
      ['source-away', true, `${position(12)}`],
    )
    assert.match(only.why ?? '', /^us-east cannot be asked: /)
    const text = await explain(['--group', group.name], nowhere)
    assert.match(text.stdout, /^ {2}us-east {2}cannot be asked: /m)
  })

  test('of groups of the target: members, and what they committed', async () => {
    const group = await followedAt(5)
    const kafka = kafkajsClient('explain-test', target)
    const reader = await GroupReader.start({ kafka, group: group.name, topic: scene.topic })
    await reader.has(20)
    const joined = await explained(group, 1)
    assert.deepEqual([joined.only.reason, joined.target.members], ['members-on-target', 1])
    const { position: committed } = await reader.commit()
    await reader.stop()
    const { only } = await explained(group, 1)
    assert.equal(only.reason, 'committed-on-target')
    assert.equal(only.target?.offset, `${committed}`)
    assert.deepEqual(only.whose.kind, 'target')
    assert.equal(only.whose.former?.position, `${position(5)}`)
    assert.match(only.wayOut ?? '', new RegExp(`--delete --group ${group.name}`))
  })

  test('of groups and topics that the flow leaves out, and of nobody', async () => {
    const left = new SceneGroup(scene, `left-${scene.name}`)
    await left.commit(position(3))
    assert.equal((await explained(left, 1)).leftAlone, 'not-selected')
    const own = new SceneGroup(scene, `causeway.${scene.name}.x`)
    await own.commit(position(3))
    const text = await explain(['--group', own.name])
    assert.equal(text.code, 1)
    assert.match(text.stdout, /^ {2}Groups called causeway\.\* are Causeway's own/m)

    const other = `other-${scene.name}`
    await createTopics(scene.admins.source, [{ topic: other }])
    const group = await followedAt(4)
    const partitions = [{ topic: other, partition: 0, offset: 0n, metadata: '', leaderEpoch: undefined }]
    await scene.source.commitGroupOffsets(group.name, partitions)
    const both = await explained(group, 1)
    assert.deepEqual(
      both.partitions.map(({ topic, reason }) => [topic, reason]),
      [
        [other, 'topic-not-copied'],
        [scene.topic, 'in-step'],
      ],
    )

    const nobody = await explain(['--group', `nobody-${scene.name}`])
    assert.equal(nobody.code, 1)
    assert.match(nobody.stderr, /has committed nothing on us-east and nothing on eu-west/)
    const unknown = await explain(['--group', 'any', '--flow', 'us-east->mars'])
    assert.equal(unknown.code, 2)
  })

  test('of groups that move while nobody follows: behind, not copied yet, gone on the target', async () => {
    const moved = await followedAt(7)
    const ahead = await followedAt(8)
    const gone = await followedAt(9)
    await replicator.stop()
    try {
      await moved.commit(position(20))
      const behind = await explained(moved, 1)
      assert.deepEqual(
        [behind.only.reason, behind.only.whose.followed?.position],
        ['behind', `${position(7)}`],
      )
      assert.equal(behind.only.place?.offset, `${place(20)}`)

      const [latest] = await scene.source.listOffsets([{ topic: scene.topic, partition: 0, at: 'latest' }])
      assert(latest?.result.ok)
      const end = latest.result.value.offset
      await scene.produce(10)
      await ahead.commit(end + 5n)
      const above = await explained(ahead, 1)
      assert.equal(above.only.reason, 'not-copied-yet')
      assert.match(above.only.why ?? '', new RegExp(`^The map ends at ${end} on us-east`))

      const fresh = new SceneGroup(scene)
      await fresh.commit(position(2))
      assert.equal((await explained(fresh, 1)).only.reason, 'not-followed-yet')

      const admin = kafkajsClient('explain-test', target).admin()
      await admin.connect()
      await admin.deleteGroups([gone.name])
      await admin.disconnect()
      await until('it is gone', async () => (await gone.committed('target')) === undefined || undefined)
      const { only } = await explained(gone, 1)
      assert.deepEqual([only.reason, only.whose.former?.offset], ['gone-on-target', `${place(9)}`])
    } finally {
      replicator = await scene.start({ groups })
    }
    await moved.stands(place(20))
    assert.equal((await explained(moved, 0)).only.reason, 'in-step')
  })
})
