import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { DelayLine } from './delay-line.ts'

const delayMs = 20

/** A line into a list, and a promise of `count` deliveries. */
function collect(count: number, bytesMax = 1000) {
  const delivered: { readonly item: string; readonly atMs: number }[] = []
  const complete = Promise.withResolvers<void>()
  const room = Promise.withResolvers<void>()
  const line = new DelayLine<string>({
    delayMs,
    bytesMax,
    deliver: (item) => {
      delivered.push({ item, atMs: performance.now() })
      if (delivered.length === count) complete.resolve()
      return item !== 'block'
    },
    onRoom: () => room.resolve(),
  })
  return { line, delivered, complete: complete.promise, room: room.promise }
}

describe('a delay line', () => {
  test('delays every item, not just the first of a burst', async () => {
    const { line, delivered, complete } = collect(20)
    const pushedAtMs: number[] = []
    for (let index = 0; index < 20; index++) {
      pushedAtMs.push(performance.now())
      line.push(String(index), 1)
      await delay(3)
    }
    await complete
    assert.deepEqual(
      delivered.map(({ item }) => item),
      Array.from({ length: 20 }, (_, index) => String(index)),
    )
    for (const [index, { atMs }] of delivered.entries()) assert.ok(atMs - pushedAtMs[index]! >= delayMs)
  })

  test('is full at its limit and says when there is room again', async () => {
    const { line, complete, room } = collect(2, 10)
    assert.equal(line.push('a', 9), true)
    assert.equal(line.push('b', 1), false)
    await complete
    await room
    assert.equal(line.push('c', 9), true)
    line.destroy()
  })

  test('holds back what follows a receiver that takes no more, until it does', async () => {
    const { line, delivered, complete } = collect(2)
    line.push('block', 1)
    line.push('next', 1)
    await delay(3 * delayMs)
    assert.deepEqual(
      delivered.map(({ item }) => item),
      ['block'],
    )
    line.resume()
    await complete
    assert.equal(delivered[1]!.item, 'next')
  })

  test('delivers nothing once destroyed', async () => {
    const { line, delivered } = collect(1)
    line.push('a', 1)
    line.destroy()
    await delay(2 * delayMs)
    assert.deepEqual(delivered, [])
  })
})
