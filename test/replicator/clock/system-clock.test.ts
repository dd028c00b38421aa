import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, test } from 'node:test'
import { systemClock } from '../../../replicator/clock/system-clock.ts'

const timers = (): readonly string[] => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout')
const reason = new Error('enough')

describe('sleeping by the machine’s clock', () => {
  test('ends, and leaves no listener behind', async () => {
    const { signal } = new AbortController()
    await systemClock.sleep(1, signal)
    await systemClock.sleep(0)
    assert.equal(getEventListeners(signal, 'abort').length, 0)
  })

  test('is cut short by its signal, with the signal’s reason', async () => {
    const before = timers()
    const cut = new AbortController()
    const sleeping = systemClock.sleep(2 ** 30, cut.signal)
    cut.abort(reason)
    await assert.rejects(sleeping, reason)
    await assert.rejects(systemClock.sleep(2 ** 30, cut.signal), reason)
    assert.deepEqual(timers(), before, 'no timer is left')
  })
})
