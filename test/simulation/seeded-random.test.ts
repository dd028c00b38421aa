import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SeededRandom } from './seeded-random.ts'

const draws = (random: SeededRandom, count: number) => Array.from({ length: count }, () => random.next())

describe('SeededRandom', () => {
  test('the same seed gives the same draws, another one others', () => {
    assert.deepEqual(draws(new SeededRandom(7), 100), draws(new SeededRandom(7), 100))
    assert.notDeepEqual(draws(new SeededRandom(7), 100), draws(new SeededRandom(8), 100))
  })

  test('draws are spread evenly over [0, 1)', () => {
    const tenths = new Array<number>(10).fill(0)
    for (const draw of draws(new SeededRandom(1), 10_000)) tenths[Math.floor(draw * 10)]! += 1
    for (const count of tenths) assert(count > 850 && count < 1150, `${count} of 10 000 in one tenth`)
  })

  test('whole numbers include both ends', () => {
    const random = new SeededRandom(3)
    const seen = new Set(Array.from({ length: 200 }, () => random.between(2, 4)))
    assert.deepEqual([...seen].sort(), [2, 3, 4])
  })

  test('a fork does not follow its origin', () => {
    const origin = new SeededRandom(5)
    const fork = origin.fork()
    assert.notDeepEqual(draws(origin, 10), draws(fork, 10))
  })

  test('nothing cannot be picked from', () => {
    assert.throws(() => new SeededRandom(1).pick([]), RangeError)
  })
})
