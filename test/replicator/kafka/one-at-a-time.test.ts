import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { OneAtATime } from '../../../replicator/kafka/one-at-a-time.ts'

describe('one at a time', () => {
  test('runs tasks in the order in which they came, each after the one before has ended', async () => {
    const turns = new OneAtATime()
    const told: string[] = []
    const gates = [0, 1, 2].map(() => Promise.withResolvers<void>())
    const tasks = gates.map(({ promise }, index) =>
      turns.run(async () => {
        told.push(`begin ${index}`)
        await promise
        told.push(`end ${index}`)
        return index
      }),
    )
    for (const { resolve } of gates.reverse()) resolve()
    assert.deepEqual(await Promise.all(tasks), [0, 1, 2])
    assert.deepEqual(told, ['begin 0', 'end 0', 'begin 1', 'end 1', 'begin 2', 'end 2'])
  })

  test('a task that fails tells its own caller alone', async () => {
    const turns = new OneAtATime()
    const thrown = turns.run(() => {
      throw new Error('at once')
    })
    const rejected = turns.run(() => Promise.reject(new Error('later')))
    const fine = turns.run(async () => 'fine')
    await assert.rejects(thrown, /at once/)
    await assert.rejects(rejected, /later/)
    assert.equal(await fine, 'fine')
  })

  test('has settled when what was begun so far has ended, however it ended', async () => {
    const turns = new OneAtATime()
    await turns.settled()
    const gate = Promise.withResolvers<void>()
    let isSettled = false
    const failing = assert.rejects(turns.run(() => gate.promise))
    const settled = turns.settled().then(() => {
      isSettled = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(isSettled, false)
    gate.reject(new Error('in vain'))
    await settled
    await failing
  })
})
