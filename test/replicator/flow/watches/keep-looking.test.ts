import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { keepLooking } from '../../../../replicator/flow/watches/keep-looking.ts'
import { transportError } from '../../../../replicator/kafka/errors.ts'
import { SimulatedClock } from '../../../simulation/simulated-clock.ts'

/** Looks every second until it is stopped; what each look throws, by its number. */
function looking(thrown: Readonly<Record<number, Error>>) {
  const clock = new SimulatedClock()
  const stop = new AbortController()
  const seenAtMs: number[] = []
  const look = async (): Promise<void> => {
    seenAtMs.push(clock.monotonicMs())
    const error = thrown[seenAtMs.length]
    if (error !== undefined) throw error
  }
  return { clock, stop, seenAtMs, ended: keepLooking(clock, 1000, look, stop.signal) }
}

describe('keeping on looking', () => {
  test('pauses before each look, also where the cluster did not answer', async () => {
    const { clock, stop, seenAtMs, ended } = looking({ 2: transportError('timeout', 'no answer') })
    await clock.advance(3500)
    assert.deepEqual(seenAtMs, [1000, 2000, 3000])
    stop.abort(new Error('enough'))
    await ended
    await clock.advance(5000)
    assert.equal(seenAtMs.length, 3)
  })

  test('ends with what is no fault of the cluster', async () => {
    const { clock, seenAtMs, ended } = looking({ 1: new TypeError('a bug') })
    const told = assert.rejects(ended, /a bug/)
    await clock.advance(3000)
    await told
    assert.deepEqual(seenAtMs, [1000])
  })

  test('an error that comes with the end is not told', async () => {
    const clock = new SimulatedClock()
    const stop = new AbortController()
    const look = async (signal: AbortSignal): Promise<void> => {
      stop.abort(new Error('enough'))
      signal.throwIfAborted()
    }
    const ended = keepLooking(clock, 1000, look, stop.signal)
    await clock.advance(1000)
    await ended
  })
})
