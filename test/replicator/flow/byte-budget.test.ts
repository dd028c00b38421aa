import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import fc from 'fast-check'
import { BudgetedLease, ByteBudget } from '../../../replicator/flow/byte-budget.ts'

const forever = new AbortController().signal

describe('a byte budget', () => {
  test('never goes over its bound but for one reservation, and serves in order', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ bytes: fc.integer({ min: 1, max: 150 }), isGivenUp: fc.boolean() }), {
          maxLength: 30,
        }),
        async (wishes) => {
          const budget = new ByteBudget(100)
          const order: number[] = []
          const held: number[] = []
          const waiting = wishes.map(({ bytes, isGivenUp }, index) => {
            const controller = new AbortController()
            const done = budget.reserve(bytes, controller.signal).then(
              () => {
                order.push(index)
                held.push(bytes)
                assert(budget.usedBytes <= 100 || held.length === 1, 'over the bound only alone')
              },
              (error: unknown) => assert.equal(error, 'given up'),
            )
            return { done, giveUp: () => isGivenUp && controller.abort('given up') }
          })
          await turn()
          for (const { giveUp } of waiting) giveUp()
          for (let left = wishes.length; left > 0; left--) {
            await turn()
            const bytes = held.shift()
            if (bytes !== undefined) budget.release(bytes)
          }
          await Promise.all(waiting.map(({ done }) => done))
          assert.deepEqual(
            order,
            order.toSorted((a, b) => a - b),
            'first come, first served',
          )
          while (held.length > 0) budget.release(held.shift()!)
          assert.equal(budget.usedBytes, 0)
        },
      ),
      { numRuns: 100 },
    )
  })

  test('giving up a large wish lets the small ones behind it through', async () => {
    const budget = new ByteBudget(100)
    await budget.reserve(60, forever)
    const large = new AbortController()
    const given = assert.rejects(budget.reserve(80, large.signal), /no longer/)
    const small = budget.reserve(40, forever)
    large.abort(new Error('no longer'))
    await Promise.all([given, small])
    assert.equal(budget.usedBytes, 100)
    await assert.rejects(budget.reserve(1, AbortSignal.abort(new Error('too late'))), /too late/)
  })

  test('counts what is there anyway, and refuses to give back more than it has', () => {
    const budget = new ByteBudget(10)
    budget.take(25)
    assert.equal(budget.usedBytes, 25)
    assert.throws(() => budget.release(26))
    const lease = budget.leaseOwn(5)
    assert.equal(budget.usedBytes, 30)
    lease.release()
    assert.equal(budget.usedBytes, 25)
  })

  test('a budgeted lease gives frame and bytes back with its last reference', () => {
    const budget = new ByteBudget(100)
    let releases = 0
    budget.take(40)
    const lease = new BudgetedLease(
      { bytes: 40, retain: () => assert.fail(), release: () => releases++ },
      budget,
    )
    lease.retain()
    lease.release()
    assert.deepEqual([releases, budget.usedBytes, lease.bytes], [0, 40, 40])
    lease.release()
    assert.deepEqual([releases, budget.usedBytes], [1, 0])
    assert.throws(() => lease.release())
    assert.throws(() => lease.retain())
  })
})
