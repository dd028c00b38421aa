import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { garbage, LeaseLedger } from './counted-lease.ts'

describe('a leased frame', () => {
  test('keeps its bytes while a reference is held, and turns to garbage with the last', () => {
    const ledger = new LeaseLedger()
    const memory = Buffer.from('records')
    const lease = ledger.lease(memory)
    lease.retain()
    lease.release()
    assert.equal(memory.toString(), 'records')
    assert.deepEqual([ledger.held, ledger.bytes], [1, 7])
    lease.release()
    assert.deepEqual(memory, Buffer.alloc(7, garbage))
    assert.deepEqual([ledger.held, ledger.bytes], [0, 0])
  })

  test('cannot be released or retained after that', () => {
    const lease = new LeaseLedger().lease(Buffer.alloc(1))
    lease.release()
    assert.throws(() => lease.release(), /more often/)
    assert.throws(() => lease.retain(), /after its last release/)
  })
})
