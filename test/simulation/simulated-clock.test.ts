import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { SimulatedClock } from './simulated-clock.ts'

describe('SimulatedClock', () => {
  test('fires timers by due time, then in the order of their making', async () => {
    const clock = new SimulatedClock()
    const fired: string[] = []
    const sleeper = async (name: string, ms: number) => {
      await clock.sleep(ms)
      fired.push(`${name} at ${clock.monotonicMs()}`)
    }
    const all = Promise.all([sleeper('c', 20), sleeper('a', 10), sleeper('b', 10), sleeper('now', 0)])
    await clock.run(all)
    assert.deepEqual(fired, ['now at 0', 'a at 10', 'b at 10', 'c at 20'])
  })

  test('lets what a timer set going run to its next wait before the next timer', async () => {
    const clock = new SimulatedClock()
    const fired: string[] = []
    const first = clock.sleep(10).then(async () => {
      for (let i = 0; i < 50; i++) await Promise.resolve()
      fired.push('all of the first')
    })
    const second = clock.sleep(10).then(() => fired.push('second'))
    await clock.run(Promise.all([first, second]))
    assert.deepEqual(fired, ['all of the first', 'second'])
  })

  test('advances by exactly what it is told, and no timer beyond fires', async () => {
    const clock = new SimulatedClock(1000)
    let fired = 0
    clock.after(10, () => fired++)
    clock.after(11, () => fired++)
    await clock.advance(10)
    assert.deepEqual([fired, clock.monotonicMs(), clock.wallMs(), clock.waiting], [1, 10, 1010, 1])
  })

  test('a sleep ends with the reason of its signal and leaves no timer', async () => {
    const clock = new SimulatedClock()
    const controller = new AbortController()
    const sleeping = clock.sleep(10, controller.signal)
    const reason = new Error('enough')
    controller.abort(reason)
    await assert.rejects(sleeping, reason)
    await assert.rejects(clock.sleep(10, controller.signal), reason)
    assert.equal(clock.waiting, 0)
  })

  test('the wall clock jumps without the other', async () => {
    const clock = new SimulatedClock(5000)
    clock.jumpWall(-3000)
    assert.deepEqual([clock.wallMs(), clock.monotonicMs()], [2000, 0])
  })

  test('work that nothing can finish is reported', async () => {
    const clock = new SimulatedClock()
    await assert.rejects(clock.run(new Promise(() => {})), /stuck: the work waits/)
    const forever = (async () => {
      for (;;) await clock.sleep(1000)
    })()
    await assert.rejects(clock.run(forever, 10_000), /stuck: not done after 10000 ms/)
  })

  test('errors of the work come through', async () => {
    const clock = new SimulatedClock()
    const failing = clock.sleep(5).then(() => {
      throw new Error('broken')
    })
    await assert.rejects(clock.run(failing), /broken/)
  })
})
