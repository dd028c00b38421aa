import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TopicPartition } from '../../../replicator/kafka/cluster.ts'
import { buildBatch } from '../../simulation/record-batches.ts'
import type { SceneFlow } from './flow-scene.ts'
import { GapsScene } from './gaps-scene.ts'

const orders = (partition: number) => ({ topic: 'orders', partition })
const copyOf = ({ topic, partition }: TopicPartition) => ({ topic: `us-east.${topic}`, partition })
const next = { kind: 'next' } as const
const earliest = { kind: 'earliest' } as const

/** Two partitions, copied; the first one is what happens to, the other must not notice. */
async function copied(prepare: (scene: GapsScene) => void = () => {}) {
  const scene = new GapsScene()
  scene.create('orders', 2)
  prepare(scene)
  for (const partition of [0, 1]) for (let batch = 0; batch < 4; batch++) scene.write(orders(partition), 2)
  const flow = scene.start()
  await flow.catchUp()
  // The watches have looked at what is there.
  await scene.clock.advance(6000)
  assert.deepEqual(flow.snapshot().stopped, [])
  return { scene, flow }
}

/** Within ten seconds partition 0 alone stops, for this reason; partition 1 goes on. */
async function stops(scene: GapsScene, flow: SceneFlow, reason: RegExp) {
  await scene.until('it stops', () => flow.snapshot().stopped.length > 0, 10_000)
  const [stopped, ...others] = flow.snapshot().stopped
  assert.match(stopped?.reason ?? '', reason)
  assert.match(stopped?.wayOut ?? '', /causeway flow resume -c causeway\.yaml orders/)
  assert.deepEqual(others, [])
  scene.write(orders(1), 3)
  await flow.catchUp([orders(1)])
}

function foreignWrite(scene: GapsScene, at: TopicPartition, count: number): void {
  const copy = copyOf(at)
  const { leader } = scene.target.partition(copy)
  assert.ok(leader !== undefined)
  const [answer] = scene.target.produce(leader, [{ ...copy, batch: buildBatch(scene.records(count)) }])
  assert.ok(answer?.ok)
}

const values = (records: readonly unknown[]) => records.map((record) => JSON.stringify(record))

describe('gaps in the source', () => {
  test('a log that was cut and has grown again: what the source has now is copied behind, by decision', async () => {
    const { scene, flow } = await copied()
    const before = values(scene.targetRecords(orders(0)))
    scene.source.log(orders(0)).truncate(4n)
    scene.source.topics.lead(scene.source.partition(orders(0)), scene.source.partition(orders(0)).leader)
    for (let batch = 0; batch < 5; batch++) scene.write(orders(0), 2)
    await stops(scene, flow, /orders partition 0: the source lost offsets 4 to 7/)
    await flow.drain()
    const again = scene.start()
    await scene.until('it still says so', () => again.snapshot().stopped.length === 1)
    assert.match(again.snapshot().stopped[0]?.reason ?? '', /lost offsets 4 to 7/)
    const report = await scene.resume({ topic: 'orders', partition: 0, from: { kind: 'offset', offset: 4n } })
    assert.equal(report.partitions[0]?.kind, 'resumed')
    await scene.until('it goes on', () => again.snapshot().stopped.length === 0, 20_000)
    const now = values(scene.sourceRecords(orders(0)))
    await scene.until('it is copied', () => values(scene.targetRecords(orders(0))).includes(now.at(-1)!))
    const target = values(scene.targetRecords(orders(0)))
    assert.deepEqual(target.slice(0, before.length), before, 'what was lost stays')
    // What was read before the loss was found may be there once already.
    assert.deepEqual(target.slice(-6), now.slice(-6))
    await again.drain()
  })

  test('a log that was cut and has grown again while nobody replicated', async () => {
    const { scene, flow } = await copied()
    await flow.drain()
    for (const partition of [0, 1]) {
      const at = orders(partition)
      if (partition === 0) scene.source.log(at).truncate(4n)
      scene.source.topics.lead(scene.source.partition(at), scene.source.partition(at).leader)
      for (let batch = 0; batch < 5; batch++) scene.write(at, 2)
    }
    const again = scene.start()
    await stops(scene, again, /orders partition 0: the source lost offsets 4 to 7/)
    await again.drain()
  })

  test('the stop outlives restarts, until it is decided', async () => {
    const { scene, flow } = await copied()
    foreignWrite(scene, orders(0), 1)
    await stops(scene, flow, /somebody else wrote 1 record/)
    await flow.drain()
    const again = scene.start()
    await scene.until('it says so', () => again.snapshot().stopped.length === 1)
    assert.match(again.snapshot().stopped[0]?.reason ?? '', /somebody else wrote 1 record/)
    await again.drain()
    await scene.resume({ topic: 'orders', partition: 0, from: next })
    const last = scene.start()
    scene.write(orders(0), 2)
    await scene.until('it goes on', () => scene.targetRecords(orders(0)).length === 11)
    assert.deepEqual(last.snapshot().stopped, [])
    await last.drain()
  })

  test('retention outruns a paused topic: it stops, and goes on at what is left', async () => {
    const { scene, flow } = await copied()
    flow.running.pause('orders')
    for (let batch = 0; batch < 4; batch++) scene.write(orders(0), 2)
    scene.source.deleteRecords(orders(0), 12n)
    await scene.until('it stops', () => flow.snapshot().stopped.length > 0, 10_000)
    assert.match(flow.snapshot().stopped[0]?.reason ?? '', /deleted offsets 8 to 11 before they were copied/)
    const foreseen = await scene.resume({ topic: 'orders', partition: 0, from: earliest, dryRun: true })
    const effect = { kind: 'skips', fromOffset: 8n, toOffset: 12n }
    const expected = { kind: 'resumed', partition: 0, sourceNext: 12n, effect, records: 0 }
    assert.deepEqual(foreseen.partitions, [expected])
    await scene.clock.advance(10_000)
    assert.equal(flow.snapshot().stopped.length, 1, 'a dry run changes nothing')
    const impossible = await scene.resume({ topic: 'orders', partition: 0, from: next })
    const reason = "offset 8 is not in the source's log, which is empty at offset 16"
    assert.deepEqual(
      impossible.partitions.map(({ kind }) => kind),
      ['refused'],
      reason,
    )
    await scene.until('it stops again', () => flow.snapshot().stopped.length > 0, 20_000)
    const done = await scene.resume({ topic: 'orders', partition: 0, from: earliest })
    assert.deepEqual(done.partitions, [expected])
    flow.running.resume('orders')
    await scene.until('it goes on', () => scene.targetRecords(orders(0)).length === 12)
    assert.deepEqual(values(scene.targetRecords(orders(0))).slice(8), values(scene.sourceRecords(orders(0))))
    await flow.drain()
  })

  test('a re-created topic stops whole, and goes on whole', async () => {
    const { scene, flow } = await copied()
    scene.source.deleteTopic('orders')
    scene.create('orders', 2)
    for (const partition of [0, 1]) scene.write(orders(partition), 3)
    const isRecreated = () =>
      flow.snapshot().stopped.some(({ reason }) => /re-created on us-east/.test(reason))
    await scene.until('it stops', isRecreated, 10_000)
    await assert.rejects(
      scene.resume({ topic: 'orders', partition: 0, from: earliest }),
      /name the topic without a partition/,
    )
    const { partitions } = await scene.resume({ topic: 'orders', partition: undefined, from: earliest })
    assert.deepEqual(
      partitions.map((one) => [one.kind, one.kind === 'resumed' ? one.effect.kind : one.reason]),
      [
        ['resumed', 'unknown'],
        ['resumed', 'unknown'],
      ],
    )
    await scene.until('it goes on', () => [0, 1].every((p) => scene.targetRecords(orders(p)).length === 11))
    for (const p of [0, 1])
      assert.deepEqual(
        values(scene.targetRecords(orders(p))).slice(8),
        values(scene.sourceRecords(orders(p))),
      )
    assert.deepEqual(flow.snapshot().stopped, [])
    await flow.drain()
  })
})

describe('copies that somebody has tampered with', () => {
  test('a foreign record in an idle copy; --from next goes on behind it, nothing lost or twice', async () => {
    const { scene, flow } = await copied()
    foreignWrite(scene, orders(0), 2)
    await stops(scene, flow, /somebody else wrote 2 records .* offsets \d+ to \d+/)
    scene.write(orders(0), 3)
    const report = await scene.resume({ topic: 'orders', partition: 0, from: next })
    const exact = { kind: 'resumed', partition: 0, sourceNext: 8n, effect: { kind: 'exact' }, records: 0 }
    assert.deepEqual(report.partitions, [exact])
    await scene.until('it goes on', () => scene.targetRecords(orders(0)).length === 13)
    const target = values(scene.targetRecords(orders(0)))
    assert.deepEqual([...target.slice(0, 8), ...target.slice(10)], values(scene.sourceRecords(orders(0))))
    await scene.clock.advance(20_000)
    assert.deepEqual(flow.snapshot().stopped, [], 'what was decided is not found again')
    await flow.drain()
  })

  test('a foreign record written while nobody replicated', async () => {
    const { scene, flow } = await copied()
    await flow.drain()
    foreignWrite(scene, orders(0), 1)
    const again = scene.start()
    await stops(scene, again, /somebody else wrote 1 record/)
    await again.drain()
  })

  test('a crash with records that progress does not know is no foreign write', async () => {
    const { scene, flow } = await copied()
    await flow.destroy()
    for (let round = 0; round < 4; round++) {
      const next = scene.start()
      for (const partition of [0, 1]) {
        const { leader } = scene.source.partition(orders(partition))
        scene.source.topics.lead(scene.source.partition(orders(partition)), leader)
        for (let batch = 0; batch < 4; batch++) scene.write(orders(partition), 2)
      }
      const all = scene.sourceRecords(orders(0)).length
      await scene.until('all is copied', () => scene.targetRecords(orders(0)).length === all)
      await next.destroy()
      const brief = scene.start()
      await scene.until('it has started', () => brief.snapshot().partitions.running === 2)
      await brief.destroy()
    }
    const last = scene.start()
    await scene.clock.advance(15_000)
    assert.deepEqual(last.snapshot().stopped, [])
    await last.catchUp()
    await last.drain()
  })

  test('a foreign record between the batches of a busy copy', async () => {
    const { scene, flow } = await copied()
    let writes = 0
    const isStopped = (): boolean => {
      scene.write(orders(0), 1)
      if (writes++ === 20) foreignWrite(scene, orders(0), 1)
      return flow.snapshot().stopped.length > 0
    }
    await scene.until('it stops', isStopped, 15_000)
    assert.ok(writes > 20)
    assert.match(flow.snapshot().stopped[0]?.reason ?? '', /somebody else wrote 1 record/)
    await scene.resume({ topic: 'orders', partition: 0, from: next })
    const all = (): number => scene.sourceRecords(orders(0)).length
    await scene.until('it goes on', () => scene.targetRecords(orders(0)).length === all() + 1)
    const source = values(scene.sourceRecords(orders(0)))
    const copy = values(scene.targetRecords(orders(0))).filter((record) => source.includes(record))
    assert.deepEqual(copy, source)
    await flow.drain()
  })

  test('deleted records; --from earliest copies them again behind what is left', async () => {
    const { scene, flow } = await copied()
    scene.target.deleteRecords(copyOf(orders(0)), scene.target.log(copyOf(orders(0))).logStart + 5n)
    await stops(scene, flow, /somebody deleted offsets 0 to 4/)
    const report = await scene.resume({ topic: 'orders', partition: 0, from: earliest })
    const [resumed] = report.partitions
    assert.deepEqual(resumed?.kind === 'resumed' && [resumed.effect, resumed.records], [
      { kind: 'repeats', fromOffset: 0n, toOffset: 8n },
      8,
    ])
    const source = values(scene.sourceRecords(orders(0)))
    await scene.until('it goes on', () => scene.targetRecords(orders(0)).length >= 12)
    assert.deepEqual(values(scene.targetRecords(orders(0))).slice(-8), source)
    await flow.drain()
  })

  test('a copy that was re-created: all of it is copied again', async () => {
    const { scene, flow } = await copied()
    scene.target.deleteTopic('us-east.orders')
    scene.createTarget('us-east.orders', 2)
    await scene.until('it stops', () => flow.snapshot().stopped.length > 0, 10_000)
    assert.match(flow.snapshot().stopped[0]?.reason ?? '', /re-created/)
    await scene.resume({ topic: 'orders', partition: undefined, from: earliest })
    await flow.catchUp()
    assert.deepEqual(flow.snapshot().stopped, [])
    await flow.drain()
  })

  test('a copy that was deleted is created again by the decision', async () => {
    const { scene, flow } = await copied()
    scene.target.deleteTopic('us-east.orders')
    await scene.until('it stops', () => flow.snapshot().stopped.length > 0, 10_000)
    const report = await scene.resume({ topic: 'orders', partition: undefined, from: earliest })
    assert.equal(report.createsTarget, true)
    await flow.catchUp()
    await flow.drain()
  })
})

describe('a decision that cannot be carried out', () => {
  test('an offset that the source does not hold changes nothing', async () => {
    const { scene, flow } = await copied()
    const report = await scene.resume({
      topic: 'orders',
      partition: 0,
      from: { kind: 'offset', offset: 99n },
    })
    assert.deepEqual(report.partitions, [
      {
        kind: 'refused',
        partition: 0,
        reason: "offset 99 is not in the source's log, which holds offsets 0 to 7",
      },
    ])
    scene.write(orders(0), 1)
    await flow.catchUp()
    await flow.drain()
  })

  test('topics, partitions and flows that are not there are named', async () => {
    const scene = new GapsScene()
    scene.create('orders', 2)
    await assert.rejects(scene.resume({ topic: 'orders', partition: 0, from: next }), /has never run/)
    await assert.rejects(scene.resume({ topic: 'other', partition: 0, from: next }), /no topic "other"/)
    await assert.rejects(scene.resume({ topic: 'orders', partition: 5, from: next }), /partitions 0, 1/)
  })
})
