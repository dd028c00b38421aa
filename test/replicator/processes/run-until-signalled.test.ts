import assert from 'node:assert/strict'
import { EventEmitter } from 'node:events'
import { describe, test } from 'node:test'
import {
  runUntilSignalled,
  type StoppingReason,
  type UntilSignalledOptions,
} from '../../../replicator/processes/run-until-signalled.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'

class PlayedReplicator implements UntilSignalledOptions {
  readonly calls: string[] = []
  readonly stopping: StoppingReason[] = []
  readonly signals = new EventEmitter()
  readonly clock = new SimulatedClock()
  readonly drainTimeoutMs = 30_000
  readonly life = Promise.withResolvers<void>()
  readonly drained = Promise.withResolvers<void>()
  readonly destroyed = Promise.withResolvers<void>()
  readonly onStopping = (why: StoppingReason) => void this.stopping.push(why)
  readonly replicator = {
    ended: this.life.promise,
    drain: (timeoutMs: number) => {
      this.calls.push(`drain ${timeoutMs}`)
      return this.drained.promise
    },
    destroy: () => {
      this.calls.push('destroy')
      return this.destroyed.promise
    },
  }

  async turn(): Promise<void> {
    await this.clock.advance(0)
  }
}

describe('running until a signal', () => {
  for (const name of ['SIGTERM', 'SIGINT']) {
    test(`${name} drains, within the time given`, async () => {
      const played = new PlayedReplicator()
      const run = runUntilSignalled(played)
      await played.turn()
      assert.deepEqual(played.calls, [])
      played.signals.emit(name)
      await played.turn()
      assert.deepEqual(played.calls, ['drain 30000'])
      assert.deepEqual(played.stopping, [{ kind: 'signal' }])
      played.drained.resolve()
      played.life.resolve()
      assert.equal(await run, 'drained')
      assert.deepEqual(played.signals.eventNames(), [], 'nobody listens any more')
    })
  }

  test('a second signal, of either kind, cuts', async () => {
    const played = new PlayedReplicator()
    const run = runUntilSignalled(played)
    played.signals.emit('SIGINT')
    await played.turn()
    played.signals.emit('SIGTERM')
    await played.turn()
    assert.deepEqual(played.calls, ['drain 30000', 'destroy'])
    played.destroyed.resolve()
    assert.equal(await run, 'cut')
    played.drained.reject(new Error('cut'))
    await played.turn()
  })

  test('two signals at once cut as well, and a cut that hangs is not waited for', async () => {
    const played = new PlayedReplicator()
    const run = runUntilSignalled(played)
    played.signals.emit('SIGINT')
    played.signals.emit('SIGINT')
    assert.equal(await played.clock.run(run, 10_000), 'cut')
    assert.equal(played.clock.waiting, 0)
  })

  test('a flow that fails: the rest is drained, then its error is thrown', async () => {
    const played = new PlayedReplicator()
    const run = runUntilSignalled(played)
    const error = new TypeError('a bug')
    played.life.reject(error)
    await played.turn()
    assert.deepEqual(played.stopping, [{ kind: 'failure', error }])
    assert.deepEqual(played.calls, ['drain 30000'])
    played.drained.resolve()
    await assert.rejects(run, error)
  })

  test('a flow that fails while it drains is told too', async () => {
    const played = new PlayedReplicator()
    const run = runUntilSignalled(played)
    played.signals.emit('SIGTERM')
    await played.turn()
    played.life.reject(new TypeError('a bug'))
    played.drained.resolve()
    await assert.rejects(run, { message: 'a bug' })
  })

  test('a drain that fails is told', async () => {
    const played = new PlayedReplicator()
    const run = runUntilSignalled(played)
    played.signals.emit('SIGTERM')
    played.drained.reject(new Error('not closed'))
    await assert.rejects(run, { message: 'not closed' })
    assert.deepEqual(played.signals.eventNames(), [])
  })
})
