import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { CommitChange, CommitSource } from '../../../replicator/groups/commit-source.ts'
import { OffsetsTopicCommits } from '../../../replicator/groups/offsets-topic-commits.ts'
import { PollSchedule } from '../../../replicator/groups/poll-schedule.ts'
import { PolledCommits } from '../../../replicator/groups/polled-commits.ts'
import { ReadableCommits } from '../../../replicator/groups/readable-commits.ts'
import { brokerId } from '../../../replicator/kafka/cluster.ts'
import { protocolError } from '../../../replicator/kafka/errors.ts'
import { offsetsTopic } from '../../../replicator/kafka/offsets-topic-records.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import type { DecideFault } from '../../simulation/faults.ts'
import type { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { ShardScene } from '../shards/shard-scene.ts'

const orders = { topic: 'orders', partition: 0 }
const limits = { fastestMs: 100, keenMs: 1_000, slowestMs: 800, groupsMax: 100 }
const selects = (group: string) => group !== 'other'

type MakeSource = (scene: SourceScene) => CommitSource

class SourceScene extends ShardScene {
  readonly cluster: MemoryCluster
  readonly walker
  readonly seen: string[] = []
  readonly stopped = new AbortController()
  fault: DecideFault = () => undefined

  constructor() {
    super({ brokers: 2 })
    this.cluster = this.connect(this.target, (request) => this.fault(request))
    this.walker = this.walks(this.cluster)
    this.create(this.target, 'orders', 1)
  }

  begin(make: MakeSource) {
    const ended = make(this).run(async (changes) => {
      for (const change of changes) this.seen.push(text(change))
    }, this.stopped.signal)
    ended.catch(() => {})
    return ended
  }

  async commit(group: string, offset: bigint): Promise<void> {
    const commit = { ...orders, offset, leaderEpoch: undefined, metadata: '' }
    const outcome = await this.run(this.cluster.commitGroupOffsets(group, [commit], this.signal))
    assert.equal(outcome.kind, 'answered')
  }

  pass(ms: number): Promise<void> {
    return this.run(this.clock.sleep(ms))
  }
}

const text = ({ group, commit }: CommitChange): string =>
  `${group}@${commit === 'removed' ? 'removed' : commit.offset}`

const sources: Readonly<Record<string, MakeSource>> = {
  'the offsets topic': ({ cluster, walker, clock }) =>
    new OffsetsTopicCommits({ cluster, walks: walker, clock, selects }),
  polling: ({ cluster, clock }) => new PolledCommits({ cluster, clock, selects, limits, listEveryMs: 1_000 }),
}

for (const [name, make] of Object.entries(sources)) {
  describe(`commits from ${name}`, () => {
    test('first as they stand, then as they change, each once', async () => {
      const scene = new SourceScene()
      await scene.commit('g', 1n)
      await scene.commit('g', 2n)
      await scene.commit('other', 9n)
      const ended = scene.begin(make)
      await scene.pass(3_000)
      assert.deepEqual(scene.seen, ['g@2'])
      await scene.commit('g', 2n)
      await scene.pass(3_000)
      assert.deepEqual(scene.seen, ['g@2'])
      await scene.commit('g', 1n)
      await scene.commit('new', 5n)
      await scene.pass(3_000)
      assert.deepEqual(scene.seen.toSorted(), ['g@1', 'g@2', 'new@5'])
      await scene.run(scene.cluster.deleteGroupOffsets('g', [orders], scene.signal))
      await scene.pass(3_000)
      assert.equal(scene.seen.at(-1), 'g@removed')
      scene.stopped.abort(new Error('enough'))
      await assert.rejects(scene.run(ended), /enough/)
      await scene.run(scene.walker.close())
      assert.equal(scene.cluster.leases.held, 0)
    })
  })
}

describe('commits from the offsets topic, when it', () => {
  const partitions = [0, 1].map((partition) => ({ topic: offsetsTopic, partition }))

  test('changes its leaders: none is lost, none told twice', async () => {
    const scene = new SourceScene()
    await scene.commit('g', 1n)
    void scene.begin(sources['the offsets topic'] ?? assert.fail())
    await scene.pass(1_000)
    for (const [index, broker] of [2, 1, 2].entries()) {
      for (const at of partitions) scene.target.moveLeader(at, brokerId(broker))
      await scene.commit('g', BigInt(index + 2))
      await scene.pass(3_000)
    }
    assert.deepEqual(scene.seen, ['g@1', 'g@2', 'g@3', 'g@4'])
    scene.stopped.abort(new Error('enough'))
    await scene.run(scene.walker.close())
  })

  test('loses its end: what the coordinators know now counts', async () => {
    const scene = new SourceScene()
    await scene.commit('g', 1n)
    for (const offset of [2n, 3n]) await scene.commit('g', offset)
    await scene.commit('gone', 7n)
    void scene.begin(sources['the offsets topic'] ?? assert.fail())
    await scene.pass(1_000)
    assert.deepEqual(scene.seen.toSorted(), ['g@3', 'gone@7'])
    scene.seen.length = 0
    for (const at of partitions) scene.target.log(at).truncate(1n)
    await scene.pass(3_000)
    const both = scene.seen.toSorted()
    // One partition holds both groups, or each has its own.
    assert.ok(both.includes('g@1'), `told: ${both}`)
    scene.stopped.abort(new Error('enough'))
    await scene.run(scene.walker.close())
  })

  test('loses everything: nobody has committed anything', async () => {
    const scene = new SourceScene()
    await scene.commit('g', 3n)
    void scene.begin(sources['the offsets topic'] ?? assert.fail())
    // Longer than one walk lasts.
    await scene.pass(130_000)
    await scene.commit('late', 4n)
    await scene.pass(1_000)
    for (const at of partitions) scene.target.log(at).truncate(0n)
    await scene.pass(3_000)
    assert.deepEqual(scene.seen.toSorted(), ['g@3', 'g@removed', 'late@4', 'late@removed'])
    scene.stopped.abort(new Error('enough'))
    await scene.run(scene.walker.close())
  })

  test('may not be read: polls, and says so', async () => {
    const denied = protocolError(29, { cluster: regionAlias('simulated'), topic: offsetsTopic })
    const scene = new SourceScene()
    await scene.commit('g', 3n)
    const told: unknown[] = []
    const source =
      (failure: Error): MakeSource =>
      (made) =>
        new ReadableCommits({
          offsetsTopic: { run: () => Promise.reject(failure) },
          polling: (sources.polling ?? assert.fail())(made),
          onPolling: (error) => told.push(error),
        })
    await assert.rejects(scene.run(scene.begin(source(new Error('else')))), /else/)
    void scene.begin(source(denied))
    await scene.pass(1_000)
    assert.deepEqual([told, scene.seen], [[denied], ['g@3']])
    scene.stopped.abort(new Error('enough'))
  })
})

describe('the schedule of polls', () => {
  test('asks groups that move often, others after a while ever less often', () => {
    const schedule = new PollSchedule(limits)
    schedule.setGroups(['a', 'b'], 0)
    assert.deepEqual(schedule.due(0), ['a', 'b'])
    for (let nowMs = 0; nowMs <= 1_000; nowMs += 100) {
      schedule.asked('a', nowMs === 900, nowMs)
      schedule.asked('b', false, nowMs)
    }
    assert.deepEqual(schedule.due(1_100), ['a'])
    assert.deepEqual(schedule.due(1_150), ['a', 'b'])
    assert.equal(schedule.nextAtMs(), 1_100)
    for (let k = 0; k < 20; k++) schedule.asked('b', false, 1_000)
    assert.deepEqual(schedule.due(1_799), ['a'])
    assert.deepEqual(schedule.due(1_800), ['a', 'b'])
    schedule.setGroups(['b'], 0)
    assert.deepEqual(schedule.due(1_800), ['b'])
  })

  test('asks about so many at once, the most overdue first', () => {
    const schedule = new PollSchedule({ ...limits, groupsMax: 1 })
    schedule.setGroups(['a'], 5)
    schedule.setGroups(['a', 'b'], 3)
    assert.deepEqual(schedule.due(10), ['b'])
    schedule.asked('b', false, 10)
    assert.deepEqual(schedule.due(10), ['a'])
  })
})
