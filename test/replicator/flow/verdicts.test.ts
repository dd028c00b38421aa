import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fetchVerdict } from '../../../replicator/flow/fetch-verdict.ts'
import { produceVerdict } from '../../../replicator/flow/produce-verdict.ts'
import { protocolError, transportError } from '../../../replicator/kafka/errors.ts'

const produced: readonly (readonly [number, string])[] = [
  [-1, 'stop'],
  [2, 'stop'],
  [3, 'resend'],
  [5, 'resend'],
  [6, 'resend'],
  [7, 'resend'],
  [10, 'split'],
  [13, 'resend'],
  [17, 'stop'],
  [18, 'stop'],
  [19, 'resend'],
  [20, 'resend'],
  [29, 'wait'],
  [31, 'wait'],
  [32, 'stop'],
  [43, 'stop'],
  [44, 'wait'],
  [45, 'take-anew'],
  [46, 'take-anew'],
  [47, 'fenced'],
  [56, 'resend'],
  [59, 'take-anew'],
  [76, 'stop'],
  [87, 'stop'],
  [90, 'fenced'],
  [32_000, 'stop'],
]

const fetched: readonly (readonly [number, string])[] = [
  [-1, 'stop'],
  [1, 'out-of-range'],
  [2, 'damaged'],
  [3, 'retry'],
  [5, 'retry'],
  [6, 'retry'],
  [29, 'wait'],
  [56, 'retry'],
  [74, 'retry'],
  [76, 'stop'],
  [78, 'retry'],
  [100, 'retry'],
  [103, 'retry'],
]

describe('what a refusal asks for', () => {
  for (const [code, kind] of produced) {
    const error = protocolError(code)
    test(`produce ${code} ${error.kind}: ${kind}`, () => assertVerdict(produceVerdict(error), kind))
  }

  for (const [code, kind] of fetched) {
    const error = protocolError(code)
    test(`fetch ${code} ${error.kind}: ${kind}`, () => assertVerdict(fetchVerdict(error), kind))
  }

  test('whatever breaks a connection is tried again: nobody knows whether the batch arrived', () => {
    for (const kind of [
      'connection',
      'hangup',
      'timeout',
      'malformed',
      'closed',
      'aborted',
      'tls',
    ] as const) {
      assert.equal(produceVerdict(transportError(kind, 'x')).kind, 'resend')
    }
    assert.equal(fetchVerdict(transportError('timeout', 'x')).kind, 'retry')
  })
})

/** What somebody has to mend comes with a way out. */
function assertVerdict(verdict: { readonly kind: string; readonly wayOut?: string }, kind: string): void {
  assert.equal(verdict.kind, kind)
  assert.equal(['wait', 'stop', 'damaged'].includes(kind), (verdict.wayOut ?? '').length > 20)
}
