import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { CopyRefiner, type CopyRefinerOptions } from '../../../replicator/offsets/copy-refiner.ts'
import { OffsetMap } from '../../../replicator/offsets/offset-map.ts'
import { keptParts, refineCopy } from '../../../replicator/offsets/refine-copy.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import { copies, FakeLog, records, run, span, theirs } from './fake-log.ts'

const flow = flowId(regionAlias('us-east'), regionAlias('eu-west'))
const { signal } = new AbortController()
const s = (value: number) => sourceOffset(BigInt(value))
const t = (value: number) => targetOffset(BigInt(value))

function mapOf(...spans: readonly ReturnType<typeof span>[]): OffsetMap {
  const map = new OffsetMap({ source: s(0), target: t(0) })
  for (const one of spans) map.appendCoarse(one)
  return map
}

describe('refining a copy', () => {
  const tools = (source: FakeLog, target: FakeLog) => ({
    source,
    target,
    rule: 'everything' as const,
    origins: undefined,
    producers: new Set([9n]),
  })

  test('puts into the map what the logs tell, and tells what stays coarse', async () => {
    const whole = span(0, 10, 0, 12)
    const map = mapOf(whole)
    const [source, target] = [
      new FakeLog([records(0, 10)]),
      new FakeLog([copies(0, 4, 0), records(4, 2, theirs), copies(6, 6, 4)]),
    ]
    assert.deepEqual(await refineCopy(map, whole, tools(source, target), signal), {
      kind: 'refined',
      parts: [run(0, 0, 4), run(4, 6, 6)],
      coarse: [],
      reason: undefined,
    })
    assert.deepEqual([...map.spans()], [run(0, 0, 4), run(4, 6, 6)])
    assert.deepEqual(await refineCopy(map, whole, tools(source, target), signal), { kind: 'outdated' })
    const cut = mapOf(span(0, 10, 0, 8))
    const part = await refineCopy(
      cut,
      span(0, 10, 0, 8),
      tools(new FakeLog([records(4, 6)], 4), new FakeLog([copies(0, 8, 0)])),
      signal,
    )
    assert.deepEqual(part, {
      kind: 'refined',
      parts: [span(0, 4, 0, 2), run(4, 2, 6)],
      coarse: [span(0, 4, 0, 2)],
      reason: 'gone',
    })
    assert.deepEqual([...cut.spans()], [span(0, 4, 0, 2), run(4, 2, 6)])
  })

  test('keeps the parts around the position that is asked for, and no more than the map has room for', () => {
    const parts = [run(0, 0, 2), run(2, 4, 2), run(4, 8, 2), run(6, 12, 2), run(8, 16, 2), run(10, 20, 2)]
    assert.equal(keptParts(parts, 6, s(0)), parts)
    assert.deepEqual(keptParts(parts, 4, s(5)), [
      run(0, 0, 2),
      run(2, 4, 2),
      run(4, 8, 2),
      span(6, 12, 12, 22),
    ])
    assert.deepEqual(keptParts(parts, 3, s(7)), [span(0, 6, 0, 10), run(6, 12, 2), span(8, 12, 16, 22)])
    assert.deepEqual(keptParts(parts, 3, s(0)), [run(0, 0, 2), span(2, 12, 4, 22)])
    assert.deepEqual(keptParts(parts, 3, undefined), [span(0, 10, 0, 18), run(10, 20, 2)])
    assert.deepEqual(keptParts(parts, 5, undefined), [
      span(0, 6, 0, 10),
      run(6, 12, 2),
      run(8, 16, 2),
      run(10, 20, 2),
    ])
    for (let at = 0; at < 12; at++) {
      const map = mapOf(span(0, 12, 0, 22))
      assert(map.refined(span(0, 12, 0, 22), keptParts(parts, 3, s(at))))
      assert.deepEqual(map.translate(s(at)), {
        kind: 'exact',
        offset: t(Math.floor(at / 2) * 4 + (at % 2)),
        isNextRecord: true,
      })
    }
  })
})

describe('the refiner of a flow', () => {
  const registered = (...ids: readonly bigint[]): CopyRefinerOptions['registry'] => ({
    formerly: async (id) =>
      ids.map((producerId) => ({ producerId, flow: id, shard: 0, progressTopicId: undefined })),
  })
  const refiner = (source: FakeLog, target: FakeLog, others: Partial<CopyRefinerOptions> = {}) =>
    new CopyRefiner({
      flow,
      walks: { source: source.walks, target: target.walks },
      rule: 'everything',
      origins: undefined,
      registry: registered(9n),
      writesAlone: true,
      ...others,
    })
  const copyOf = (map: OffsetMap) => ({ topic: 'orders', partition: 0, targetTopic: 'us-east.orders', map })

  test('asks either log by its own name, and counts what the flow has registered, whoever else wrote', async () => {
    const whole = span(0, 7, 0, 7)
    const map = mapOf(whole)
    const source = new FakeLog([records(0, 2), records(2, 1, 3n, 'aborted'), records(3, 4)])
    const target = new FakeLog([copies(0, 2, 0), records(2, 1, theirs), copies(3, 4, 2)])
    const result = await refiner(source, target).refine(copyOf(map), whole, signal)
    assert.equal(result.kind, 'refined')
    assert.deepEqual([...map.spans()], [run(0, 0, 2), run(3, 3, 4)])
    assert.deepEqual(new Set(source.asked.map(({ topic }) => topic)), new Set(['orders']))
    assert.deepEqual(new Set(target.asked.map(({ topic }) => topic)), new Set(['us-east.orders']))
  })

  test('without a registered producer everybody counts where the flow writes alone, and nobody elsewhere', async () => {
    const whole = span(0, 6, 0, 6)
    const logs = () => [new FakeLog([records(0, 6)]), new FakeLog([copies(0, 6, 0)])] as const
    const alone = mapOf(whole)
    for (const registry of [undefined, registered()]) {
      const shared = mapOf(whole)
      assert.deepEqual(
        await refiner(...logs(), { registry, writesAlone: false }).refine(copyOf(shared), whole, signal),
        { kind: 'stays-coarse', reason: 'producers-unknown' },
      )
      assert.deepEqual([...shared.spans()], [whole])
    }
    await refiner(...logs(), { registry: registered() }).refine(copyOf(alone), whole, signal)
    assert.deepEqual([...alone.spans()], [run(0, 0, 6)])
  })

  test('does not walk again for what stays coarse for good, but for what was not reached', async () => {
    const whole = span(0, 10, 0, 8)
    const map = mapOf(whole)
    const target = new FakeLog([copies(0, 8, 0)])
    const source = new FakeLog([records(4, 6)], 4)
    const one = refiner(source, target)
    const result = await one.refine(copyOf(map), whole, signal)
    assert(result.kind === 'refined' && result.reason === 'gone')
    const asked = source.asked.length
    assert.deepEqual(await one.refine(copyOf(map), span(0, 4, 0, 2), signal), {
      kind: 'stays-coarse',
      reason: 'gone',
    })
    assert.equal(source.asked.length, asked)
  })

  test('goes on where the budget ended, and asks again for what a log may hold later', async () => {
    const batches = (make: typeof records) => Array.from({ length: 10 }, (_, i) => make(i * 10, 10))
    const source = new FakeLog(batches(records))
    const target = new FakeLog(batches((base, count) => copies(base, count, -1)))
    const small = refiner(source, target, { bytesMax: 1 })
    const map = mapOf(span(0, 100, 0, 100))
    let steps = 0
    for (let answer = map.translate(s(95)); answer.kind === 'between' && steps < 20; steps++) {
      await small.refine(copyOf(map), answer.span, signal)
      answer = map.translate(s(95))
    }
    assert.equal(map.translate(s(95)).kind, 'exact')
    assert.equal(steps, 10)
    const ahead = span(200, 210, 200, 210)
    for (let time = 1; time <= 2; time++) {
      const asked = target.asked.length
      assert.deepEqual(await small.refine(copyOf(mapOf(ahead)), ahead, signal), {
        kind: 'stays-coarse',
        reason: 'not-reached',
      })
      assert(target.asked.length > asked)
    }
  })

  test('a map that was not read yet is left alone', async () => {
    const one = refiner(new FakeLog([]), new FakeLog([]))
    const copy = { ...copyOf(mapOf()), map: undefined }
    assert.deepEqual(await one.refine(copy, span(0, 1, 0, 1), signal), { kind: 'outdated' })
  })
})
