import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Whereabouts } from '../../../replicator/app/offset-lookup.ts'
import { hasAnswer, offsetLine, parsePosition } from '../../../replicator/cli/offset-lines.ts'

describe('positions on the command line', () => {
  test('are read back as they are written', () => {
    const topic = fc.stringMatching(/^[A-Za-z0-9._-]{1,40}$/)
    const partition = fc.nat({ max: 99_999 })
    const offset = fc.bigInt({ min: 0n, max: 10n ** 18n - 1n })
    fc.assert(
      fc.property(topic, partition, offset, (name, number, position) => {
        const parsed = parsePosition(`${name}/${number}@${position}`)
        assert.deepEqual(parsed, { topic: name, partition: number, offset: position })
      }),
    )
  })

  for (const wrong of [
    '',
    'orders',
    'orders/0',
    'orders@5',
    'orders/0@',
    'orders/-1@5',
    'orders/0@-5',
    'orders/0@5x',
  ]) {
    test(`"${wrong}" is none`, () => assert.equal(parsePosition(wrong), undefined))
  }
})

const forth = { from: 'us', to: 'eu', back: false }
const back = { from: 'eu', to: 'us', back: true }

function told(where: Whereabouts, direction = forth): string {
  const asked = { topic: direction.back ? 'us.orders' : 'orders', partition: 3, offset: 50n }
  const answer = { topic: direction.back ? 'orders' : 'us.orders', partition: 3, ...where }
  const { place, verdict, detail } = offsetLine({ asked, answer }, direction)
  return `${place} | ${verdict} | ${detail}`
}

describe('the line of a position', () => {
  test('names where reading goes on', () => {
    const exact = { kind: 'exact', offset: 45n, isNextRecord: true } as const
    assert.equal(told(exact), 'orders/3@50 -> us.orders/3@45 | exact | ')
    assert.equal(told(exact, back), 'us.orders/3@50 -> orders/3@45 | exact | ')
  })

  test('says how many records may be read again', () => {
    assert.equal(
      told({ kind: 'between', from: 40n, to: 1_240n }),
      'orders/3@50 -> us.orders/3@40 to @1240 | between | from 40 nothing is skipped and at most 1,200 records are read again',
    )
    assert.match(told({ kind: 'between', from: 40n, to: 41n }), /at most 1 record is read again$/)
  })

  test('says where the map ends or begins, in the offsets of either side, and what to do', () => {
    const last = { source: 30n, target: 25n }
    const above = { kind: 'not-copied-yet', last } as const
    assert.equal(
      told(above),
      'orders/3@50 -> us.orders/3 | not copied yet | the map ends at 30, which is 25 on eu; ask again in a few seconds, while the flow runs',
    )
    assert.match(told(above, back), /the map ends at 25, which is 30 on us/)
    const below = { kind: 'before-the-map', first: { source: 60n, target: 55n } } as const
    assert.match(
      told(below),
      /begins at 60, which is 55 on eu; to skip nothing, read us\.orders\/3 from its earliest/,
    )
    assert.match(told(below, back), /begins at 55, which is 60 on us/)
  })

  test('says why there is no map, naming the target and the copy whichever way is asked', () => {
    for (const direction of [forth, back]) {
      const why = (reason: Extract<Whereabouts, { kind: 'no-map' }>['why']) =>
        told({ kind: 'no-map', why: reason }, direction)
      assert.match(why('no-map-topic'), /\| no map \| eu holds no map of this topology yet/)
      assert.match(why('no-copy'), /eu has no topic us\.orders: nothing was copied/)
      assert.match(why('not-in-map'), /nothing was written of this partition/)
      assert.match(why('re-created'), /about a former topic of this name/)
    }
  })

  test('counts as an answer when reading can go on', () => {
    const asked = { topic: 'orders', partition: 3, offset: 50n }
    const answers: readonly (readonly [Whereabouts, boolean])[] = [
      [{ kind: 'exact', offset: 1n, isNextRecord: false }, true],
      [{ kind: 'between', from: 1n, to: 2n }, true],
      [{ kind: 'not-copied-yet', last: { source: 1n, target: 1n } }, false],
      [{ kind: 'before-the-map', first: { source: 1n, target: 1n } }, false],
      [{ kind: 'no-map', why: 'no-copy' }, false],
    ]
    for (const [where, expected] of answers)
      assert.equal(hasAnswer({ asked, answer: { topic: 'orders', partition: 3, ...where } }), expected)
  })
})
