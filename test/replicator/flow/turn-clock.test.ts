import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { TurnClock } from '../../../replicator/flow/turn-clock.ts'

function scene() {
  const at = { wallMs: 1000, monotonicMs: 5, reads: 0 }
  const read = (value: number): number => {
    at.reads++
    return value
  }
  const turn = new TurnClock({
    wallMs: () => read(at.wallMs),
    monotonicMs: () => read(at.monotonicMs),
    sleep: () => Promise.reject(new Error('nobody sleeps here')),
  })
  return { at, turn }
}

describe('the time of a turn', () => {
  test('stands still within it, and is that of its first question', () => {
    const { at, turn } = scene()
    turn.begin()
    Object.assign(at, { wallMs: 2000, monotonicMs: 6 })
    assert.deepEqual([turn.wallMs, turn.monotonicMs], [2000, 6])
    Object.assign(at, { wallMs: 3000, monotonicMs: 7 })
    assert.deepEqual([turn.wallMs, turn.monotonicMs], [2000, 6])
    turn.begin()
    assert.deepEqual([turn.wallMs, turn.monotonicMs], [3000, 7])
  })

  test('is not read where nobody asks, and once where many do', () => {
    const { at, turn } = scene()
    for (let i = 0; i < 5; i++) turn.begin()
    assert.equal(at.reads, 0)
    for (let i = 0; i < 5; i++) assert.equal(turn.wallMs, 1000)
    assert.equal(at.reads, 1)
  })
})
