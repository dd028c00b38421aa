import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { MapFormatError } from '../../../replicator/offsets/map-format-error.ts'
import { decodeRuns, encodeRuns, type Stretch } from '../../../replicator/offsets/run-codec.ts'

const gap = fc.oneof(
  fc.integer({ min: 0, max: 4 }),
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 0, max: 2 ** 40 }),
)
const length = fc.oneof(
  fc.integer({ min: 1, max: 9 }),
  fc.integer({ min: 1, max: 2 ** 20 }),
  fc.integer({ min: 1, max: 2 ** 40 }),
)

/** Any stretch that a map can hold. */
const stretch: fc.Arbitrary<Stretch> = fc
  .record({
    start: fc.record({
      source: fc.integer({ min: 0, max: 2 ** 48 }),
      target: fc.integer({ min: 0, max: 2 ** 48 }),
    }),
    steps: fc.array(fc.tuple(gap, gap, length, length, fc.boolean()), { maxLength: 30 }),
    end: fc.tuple(gap, gap),
  })
  .map(({ start, steps, end }) => {
    let { source, target } = start
    const spans = steps.map(([sourceGap, targetGap, sourceCount, targetCount, isExact]) => {
      const sourceFrom = source + sourceGap
      const targetFrom = target + targetGap
      source = sourceFrom + sourceCount
      target = targetFrom + (isExact ? sourceCount : targetCount)
      return { sourceFrom, sourceTo: source, targetFrom, targetTo: target, isExact }
    })
    return { start: { ...start }, end: { source: source + end[0], target: target + end[1] }, spans }
  })

describe('runs as bytes', () => {
  test('come back as they were', () => {
    fc.assert(fc.property(stretch, (one) => assert.deepEqual(decodeRuns(encodeRuns(one)), one)))
  })

  test('have a layout that does not change', () => {
    const bytes = encodeRuns({
      start: { source: 1000, target: 7 },
      end: { source: 1400, target: 340 },
      spans: [
        { sourceFrom: 1000, sourceTo: 1007, targetFrom: 7, targetTo: 14, isExact: true },
        { sourceFrom: 1008, sourceTo: 1108, targetFrom: 16, targetTo: 116, isExact: true },
        { sourceFrom: 1308, sourceTo: 1398, targetFrom: 120, targetTo: 340, isExact: false },
      ],
    })
    assert.equal(
      bytes.toString('hex'),
      ['01', 'e807', '07', '03', 'e0', '12', '64', '1f', 'c801', '04', '5a', 'dc01', '02', '00'].join(''),
    )
  })

  test('take two bytes where markers come between, and never more than sixteen in the budget of offsets', () => {
    const spans = Array.from({ length: 512 }, (_, k) => ({
      sourceFrom: k * 51,
      sourceTo: k * 51 + 50,
      targetFrom: k * 50,
      targetTo: k * 50 + 50,
      isExact: true,
    }))
    const start = { source: 0, target: 0 }
    assert.ok(
      encodeRuns({ start, end: { source: 512 * 51, target: 512 * 50 }, spans }).length <= 512 * 2 + 16,
    )
    // Lengths and gaps up to 2^28 on both sides: a byte, and three varints of five.
    const far = 2 ** 28
    const wide = Array.from({ length: 512 }, (_, k) => ({
      sourceFrom: k * 2 * far,
      sourceTo: k * 2 * far + far,
      targetFrom: k * 2 * far,
      targetTo: k * 2 * far + far,
      isExact: true,
    }))
    const end = { source: 1024 * far, target: 1024 * far }
    assert.ok(encodeRuns({ start, end, spans: wide }).length <= 512 * 16 + 32)
  })

  test('every cut, and every byte too many, is refused', () => {
    fc.assert(
      fc.property(stretch, fc.nat(), (one, at) => {
        const bytes = encodeRuns(one)
        assert.throws(() => decodeRuns(bytes.subarray(0, at % bytes.length)), MapFormatError)
        assert.throws(() => decodeRuns(Buffer.concat([bytes, Buffer.of(0)])), MapFormatError)
      }),
    )
  })

  test('damaged bytes are refused, or are another stretch in order', () => {
    fc.assert(
      fc.property(stretch, fc.nat(), fc.integer({ min: 1, max: 255 }), (one, at, flip) => {
        const bytes = encodeRuns(one)
        bytes[at % bytes.length]! ^= flip
        let read: Stretch
        try {
          read = decodeRuns(bytes)
        } catch (error) {
          assert.ok(error instanceof MapFormatError, String(error))
          return
        }
        assert.notDeepEqual(read, one)
        assert.deepEqual(encodeRuns(read), bytes, 'every stretch has one encoding')
        let { source, target } = read.start
        for (const span of read.spans) {
          assert.ok(source <= span.sourceFrom && span.sourceFrom < span.sourceTo)
          assert.ok(target <= span.targetFrom && span.targetFrom < span.targetTo)
          source = span.sourceTo
          target = span.targetTo
        }
        assert.ok(source <= read.end.source && target <= read.end.target && read.end.source < 2 ** 53)
      }),
      { numRuns: 2000 },
    )
  })

  test('what is wrong is said', () => {
    const refused: readonly (readonly [string, RegExp])[] = [
      ['', /cut off/],
      ['02', /version 2; this program knows version 1/],
      ['01000001', /cut off/],
      ['0100007f', /127 spans in 4 bytes/],
      ['010000', /cut off/],
      ['01800000', /could be shorter/],
      ['01ffffffffffffffff01', /more than 8 bytes/],
      ['01ffffffffffffff7f', /2\^53/],
      ['01ffffffffffffff0f00012000', /2\^53/],
      ['010000010000', /holds nothing/],
      ['01000001000700', /count could be shorter/],
      ['0100000106022000', /gap could be shorter/],
      ['010000012101010000', /coarse span with tag/],
      ['010000010100010000', /holds nothing/],
      ['01000001010100', /holds nothing/],
    ]
    for (const [hex, reason] of refused) {
      assert.throws(() => decodeRuns(Buffer.from(hex, 'hex')), reason, hex)
    }
    assert.throws(
      () => decodeRuns(Buffer.of(2)),
      (error) => error instanceof MapFormatError && error.isNewer,
    )
    assert.throws(
      () => decodeRuns(Buffer.of(0)),
      (error) => error instanceof MapFormatError && !error.isNewer,
    )
  })
})
