import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ownershipLimits } from '../../../replicator/shards/ownership-limits.ts'
import { OwnershipProof } from '../../../replicator/shards/ownership-proof.ts'

const minuteMs = 60_000
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

describe('how long the target can be relied on to know us', () => {
  test('Kafka’s defaults: an hour of memory, a proof for five minutes, renewed daily', () => {
    assert.deepEqual(ownershipLimits(new Map()), {
      memoryMs: hourMs,
      proofMaxMs: 5 * minuteMs,
      renewMs: dayMs,
    })
  })

  test('a target that forgets soon', () => {
    const configs = new Map([
      ['producer.id.expiration.ms', '3000'],
      ['transactional.id.expiration.ms', '14000'],
    ])
    assert.deepEqual(ownershipLimits(configs), { memoryMs: 1500, proofMaxMs: 375, renewMs: 2000 })
  })

  test('keeps its margins for any configuration', () => {
    const expiry = fc.integer({ min: 1, max: 400 * dayMs })
    fc.assert(
      fc.property(expiry, expiry, (producers, ids) => {
        const limits = ownershipLimits(
          new Map([
            ['producer.id.expiration.ms', `${producers}`],
            ['transactional.id.expiration.ms', `${ids}`],
          ]),
        )
        assert(limits.memoryMs <= producers / 2 && limits.memoryMs <= hourMs)
        assert(limits.proofMaxMs <= limits.memoryMs / 4)
        assert(limits.renewMs <= ids / 7)
      }),
    )
  })
})

describe('the age of a proof of ownership', () => {
  function proofOf() {
    const at = { monotonicMs: 500, wallMs: 1_000_000 }
    const clock = {
      monotonicMs: () => at.monotonicMs,
      wallMs: () => at.wallMs,
      sleep: () => Promise.reject(new Error('nobody sleeps here')),
    }
    return { at, proof: new OwnershipProof(clock) }
  }

  test('is infinite until there is one, and counts from when it was asked for', () => {
    const { at, proof } = proofOf()
    assert.equal(proof.ageMs(), Number.POSITIVE_INFINITY)
    const asked = proof.now()
    at.monotonicMs += 40
    at.wallMs += 40
    proof.given(asked)
    assert.equal(proof.ageMs(), 40)
    assert.equal(proof.ageMs({ ...asked, wallMs: asked.wallMs + 30 }), 30, 'as of another instant')
  })

  test('a machine that is suspended may stop its monotonic clock: the wall clock tells', () => {
    const { at, proof } = proofOf()
    proof.given(proof.now())
    at.wallMs += hourMs
    assert.equal(proof.ageMs(), hourMs)
  })

  test('a wall clock that is set back hides nothing', () => {
    const { at, proof } = proofOf()
    proof.given(proof.now())
    at.monotonicMs += hourMs
    at.wallMs -= hourMs
    assert.equal(proof.ageMs(), hourMs)
  })

  test('an answer that was asked for earlier does not replace a younger one', () => {
    const { at, proof } = proofOf()
    const early = proof.now()
    at.monotonicMs += 100
    at.wallMs += 100
    proof.given(proof.now())
    proof.given(early)
    assert.equal(proof.ageMs(), 0)
  })
})
