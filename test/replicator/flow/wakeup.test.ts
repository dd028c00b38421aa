import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Wakeup } from '../../../replicator/flow/wakeup.ts'

const forever = new AbortController().signal

async function isPending(work: Promise<unknown>): Promise<boolean> {
  await turn()
  return (await Promise.race([work.then(() => false), Promise.resolve(true)])) as boolean
}

describe('a wake-up', () => {
  test('ends a wait, or the next one if nobody waits yet', async () => {
    const wakeup = new Wakeup()
    const waiting = wakeup.wait(forever)
    assert(await isPending(waiting))
    wakeup.wake()
    await waiting
    wakeup.wake()
    wakeup.wake()
    await wakeup.wait(forever)
    assert(await isPending(wakeup.wait(forever)), 'two early wake-ups are one')
  })

  test('a wait that is given up takes no wake-up with it', async () => {
    const wakeup = new Wakeup()
    const controller = new AbortController()
    const waiting = wakeup.wait(controller.signal)
    controller.abort(new Error('given up'))
    await assert.rejects(waiting, /given up/)
    wakeup.wake()
    await wakeup.wait(forever)
    await assert.rejects(wakeup.wait(AbortSignal.abort(new Error('too late'))), /too late/)
  })
})
