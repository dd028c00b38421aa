import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Random } from '../../../replicator/clock/random.ts'
import type { Result } from '../../../replicator/kafka/cluster.ts'
import { KafkaError, protocolError, transportError } from '../../../replicator/kafka/errors.ts'
import { retrying, retryingEach, retryPolicy } from '../../../replicator/kafka/retrying.ts'
import type { RegionAlias } from '../../../replicator/topology/model.ts'
import { SteppedClock } from './stepped-clock.ts'

const place = { cluster: 'us-east' as RegionAlias, during: 'Example' }
const highest: Random = { next: () => 1 }

function setup(deadlineMs = 60_000) {
  const clock = new SteppedClock()
  return { clock, policy: retryPolicy(clock, highest, deadlineMs) }
}

describe('retrying', () => {
  test('waits longer and longer between attempts, up to a second', async () => {
    const { clock, policy } = setup()
    const work = retrying(policy, place, undefined, async (_signal, number) => {
      if (number < 6) throw protocolError(7)
      return 'done'
    })
    assert.equal(await clock.run(work), 'done')
    assert.deepEqual(clock.slept, [100, 200, 400, 800, 1000, 1000])
  })

  test('throws final errors at once', async () => {
    const { clock, policy } = setup()
    const final = transportError('authentication', 'wrong password')
    const work = retrying(policy, place, undefined, () => Promise.reject(final))
    await assert.rejects(clock.run(work), (error) => error === final)
    assert.deepEqual(clock.slept, [])
  })

  test('ends at the deadline with what was wrong last', async () => {
    const { clock, policy } = setup(3000)
    const last = transportError('connection', 'nothing listens there', { address: 'broker:9092' })
    const work = retrying(policy, place, undefined, () => Promise.reject(last))
    await assert.rejects(clock.run(work), (error) => {
      assert.ok(error instanceof KafkaError)
      assert.equal(error.kind, 'timeout')
      assert.equal(error.cause, last)
      assert.match(error.message, /within 3 s; last: connection at broker:9092: nothing listens there/)
      assert.match(error.message, /reachable from here/)
      return true
    })
    assert.equal(clock.monotonicMs(), 3000)
  })

  test('an attempt that never ends is given up at the deadline', async () => {
    const { clock, policy } = setup(3000)
    const work = retrying(policy, place, undefined, (signal) => {
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
    await assert.rejects(clock.run(work), { kind: 'timeout' })
  })

  test('tells what is wrong when patience ends, long before the deadline', async () => {
    const clock = new SteppedClock()
    const policy = retryPolicy(clock, highest, 60_000, 5000)
    const last = transportError('connection', 'nothing listens there')
    const work = retrying(policy, place, undefined, () => Promise.reject(last))
    await assert.rejects(clock.run(work), (error) => error === last)
    assert.ok(clock.monotonicMs() >= 5000 && clock.monotonicMs() <= 6000)
  })

  test('does not cut an attempt that is under way when patience ends', async () => {
    const clock = new SteppedClock()
    const policy = retryPolicy(clock, highest, 60_000, 5000)
    const work = retrying(policy, place, undefined, async () => {
      await clock.sleep(20_000)
      return 'done'
    })
    assert.equal(await clock.run(work), 'done')
  })

  for (const kind of ['hangup', 'dns', 'token'] as const) {
    test(`reports ${kind}, mostly a wrong configuration, long before the deadline`, async () => {
      const { clock, policy } = setup()
      let attempts = 0
      const work = retrying(policy, place, undefined, () => {
        attempts++
        return Promise.reject(transportError(kind, 'x'))
      })
      await assert.rejects(clock.run(work), { kind })
      assert.equal(attempts, 4)
    })
  }

  test('ends with the reason of the signal, also during a wait', async () => {
    const { clock, policy } = setup()
    const controller = new AbortController()
    const reason = new Error('enough')
    const work = retrying(policy, place, controller.signal, async (_signal, number) => {
      if (number === 3) controller.abort(reason)
      throw protocolError(7)
    })
    await assert.rejects(clock.run(work), (error) => error === reason)
    await assert.rejects(
      retrying(policy, place, controller.signal, async () => assert.fail('called')),
      (error) => error === reason,
    )
  })

  test('leaves no timer behind', async () => {
    const { clock, policy } = setup()
    await clock.run(retrying(policy, place, undefined, async () => 'done'))
    assert.equal(clock.monotonicMs(), 0)
  })
})

describe('retryingEach', () => {
  const ok: Result<string> = { ok: true, value: 'done' }
  const failed = (code: number): Result<string> => ({ ok: false, error: protocolError(code) })

  test('asks again only for what is worth it', async () => {
    const { clock, policy } = setup()
    const asked: (readonly string[])[] = []
    const work = retryingEach<string, string>(
      policy,
      place,
      undefined,
      ['good', 'final', 'later', 'unknown', 'left out'],
      async (pending, _signal, number) => {
        asked.push(pending)
        const all = new Map<string, Result<string>>([
          ['good', ok],
          ['final', failed(10)],
          ['later', number < 1 ? failed(6) : ok],
          ['unknown', failed(3)],
        ])
        if (number === 2) all.set('left out', ok)
        return new Map([...all].filter(([key]) => pending.includes(key)))
      },
    )
    const answers = await clock.run(work)
    assert.deepEqual(asked, [
      ['good', 'final', 'later', 'unknown', 'left out'],
      ['later', 'unknown', 'left out'],
      ['unknown', 'left out'],
      ['unknown'],
    ])
    const kinds = Object.fromEntries(
      [...answers].map(([key, answer]) => [key, answer.ok ? answer.value : answer.error.kind]),
    )
    assert.deepEqual(kinds, {
      good: 'done',
      final: 'MESSAGE_TOO_LARGE',
      later: 'done',
      unknown: 'UNKNOWN_TOPIC_OR_PARTITION',
      'left out': 'done',
    })
  })

  test('at the deadline each keeps the last answer it got', async () => {
    const { clock, policy } = setup(2000)
    const work = retryingEach<string, string>(policy, place, undefined, ['a', 'b', 'c'], async () => {
      return new Map([
        ['a', ok],
        ['b', failed(6)],
      ])
    })
    const answers = await clock.run(work)
    const b = answers.get('b')
    const c = answers.get('c')
    assert.ok(answers.get('a')?.ok)
    assert.ok(b && !b.ok && b.error.kind === 'NOT_LEADER_OR_FOLLOWER')
    assert.ok(c && !c.ok && c.error.kind === 'timeout')
  })

  test('when patience ends each keeps the last answer it got', async () => {
    const clock = new SteppedClock()
    const policy = retryPolicy(clock, highest, 60_000, 2000)
    const answers = await clock.run(
      retryingEach<string, string>(policy, place, undefined, ['a', 'b'], async () => {
        return new Map([
          ['a', ok],
          ['b', failed(6)],
        ])
      }),
    )
    const b = answers.get('b')
    assert.ok(b && !b.ok && b.error.kind === 'NOT_LEADER_OR_FOLLOWER')
    assert.ok(clock.monotonicMs() < 4000)
    const last = transportError('connection', 'nothing listens there')
    const silent = retryingEach(policy, place, undefined, ['a'], () => Promise.reject(last))
    await assert.rejects(clock.run(silent), (error) => error === last)
  })

  test('throws when nothing was answered', async () => {
    const { clock, policy } = setup(2000)
    const work = retryingEach(policy, place, undefined, ['a'], () =>
      Promise.reject(transportError('connection', 'nothing listens there')),
    )
    await assert.rejects(clock.run(work), { kind: 'timeout' })
  })

  test('asks nothing about nothing', async () => {
    const { clock, policy } = setup()
    const work = retryingEach(policy, place, undefined, [], async () => assert.fail('asked'))
    assert.equal((await clock.run(work)).size, 0)
  })
})
