import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { TimerHeap } from './timer-heap.ts'

test('timers come by due time and then in the order of their making, without those called off', () => {
  const step = fc.record({ dueMs: fc.integer({ min: 0, max: 20 }), off: fc.boolean(), take: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (timers) => {
      const heap = new TimerHeap()
      let model: { dueMs: number; name: number }[] = []
      const fired: number[] = []
      const expected: number[] = []
      const take = (): void => {
        if (model.length === 0) return
        const first = model.reduce((least, timer) => (timer.dueMs < least.dueMs ? timer : least))
        model = model.filter((timer) => timer !== first)
        expected.push(first.name)
        heap.take().fire()
      }
      for (const [name, { dueMs, off, take: taken }] of timers.entries()) {
        const cancel = heap.add(dueMs, () => fired.push(name))
        if (off) {
          cancel()
          cancel()
        } else model.push({ dueMs, name })
        assert.equal(heap.size, model.length)
        if (taken) take()
      }
      while (model.length > 0) take()
      assert.deepEqual(fired, expected)
      assert.equal(heap.nextDueMs, undefined)
      assert.throws(() => heap.take())
    }),
  )
})
