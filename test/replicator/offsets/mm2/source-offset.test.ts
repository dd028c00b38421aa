import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  decodeSourceOffset,
  encodeSourceOffsetKey,
  encodeSourceOffsetValue,
  lastCopiedBefore,
  positionAfter,
} from '../../../../replicator/offsets/mm2/source-offset.ts'
import { sourceOffset } from '../../../../replicator/records/offsets.ts'

const of = (connector: string, cluster: string, topic: string, partition: number) => ({
  connector,
  cluster,
  topic,
  partition,
})
const bytes = fc.uint8Array({ maxLength: 80 }).map((array) => Buffer.from(array))
const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const key = Buffer.from('["MirrorSourceConnector",{"cluster":"A","partition":0,"topic":"t"}]')
const value = Buffer.from('{"offset":41}')

/** The reason, or what was read. */
function read(ofKey: string | Buffer | null, ofValue: string | Buffer | null): unknown {
  const asBytes = (part: string | Buffer | null) => (typeof part === 'string' ? Buffer.from(part) : part)
  const found = decodeSourceOffset({ key: asBytes(ofKey), value: asBytes(ofValue) })
  return found.kind === 'decoded' ? found.value : found.reason
}

describe("Connect's source offsets of MirrorSourceConnector", () => {
  test('the worked example, both ways', () => {
    const entry = of('MirrorSourceConnector', 'A', 't', 0)
    assert.deepEqual(encodeSourceOffsetKey(entry), key)
    assert.deepEqual(encodeSourceOffsetValue(sourceOffset(41n)), value)
    assert.deepEqual(read(key, value), { ...entry, lastCopied: 41n, isLookedUp: true })
    assert.deepEqual(read(key, null), { ...entry, lastCopied: undefined, isLookedUp: true })
    assert.equal(encodeSourceOffsetValue(undefined), null)
  })

  test('whatever is written is read back', () => {
    const entry = fc.record({
      connector: text,
      cluster: text,
      topic: text,
      partition: fc.integer({ min: 0, max: 2 ** 31 - 1 }),
    })
    const offset = fc.option(fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }), { nil: undefined })
    fc.assert(
      fc.property(entry, offset, (where, at) => {
        const lastCopied = at === undefined ? undefined : sourceOffset(at)
        const written = { key: encodeSourceOffsetKey(where), value: encodeSourceOffsetValue(lastCopied) }
        assert.deepEqual(decodeSourceOffset(written), {
          kind: 'decoded',
          value: { ...where, lastCopied, isLookedUp: true },
        })
      }),
    )
  })

  test('whatever the bytes are, reading them does not throw', () => {
    const json = fc.json().map((written) => Buffer.from(written))
    const part = fc.oneof(bytes, json, fc.constantFrom(null, key, value))
    fc.assert(fc.property(part, part, (a, b) => void decodeSourceOffset({ key: a, value: b })))
  })

  test('text is escaped as Jackson does', () => {
    const entry = of('quote " back \\ tab \t unit \u001f slash-u \\u001f', 'gr\u00fcn', 't', 1)
    assert.equal(
      encodeSourceOffsetKey(entry).toString(),
      '["quote \\" back \\\\ tab \\t unit \\u001F slash-u \\\\u001f",{"cluster":"gr\u00fcn","partition":1,"topic":"t"}]',
    )
  })

  test('a key that Connect would not find is known by its bytes', () => {
    const entry = { ...of('MirrorSourceConnector', 'A', 't', 0), lastCopied: 41n, isLookedUp: false }
    assert.deepEqual(
      read('["MirrorSourceConnector",{"topic":"t","partition":0,"cluster":"A"}]', value),
      entry,
    )
    assert.deepEqual(
      read('["MirrorSourceConnector", {"cluster":"A","partition":0,"topic":"t"}]', value),
      entry,
    )
  })

  test('offsets beyond what JSON numbers carry stay exact', () => {
    const { lastCopied } = read(key, '{"offset":9007199254740993}') as { lastCopied: bigint }
    assert.equal(lastCopied, 9_007_199_254_740_993n)
  })

  test('what other connectors keep there, and what is no offset, is told', () => {
    assert.equal(
      read('["MirrorHeartbeatConnector",{"sourceClusterAlias":"A","targetClusterAlias":"B"}]', value),
      'other-shape',
    )
    assert.equal(
      read('["MirrorCheckpointConnector",{"group":"g","partition":0,"topic":"A.t"}]', value),
      'other-shape',
    )
    assert.equal(read('["file-source",{"filename":"x"}]', value), 'other-shape')
    assert.equal(read('["c",null]', value), 'other-shape')
    assert.equal(read('["c",{"cluster":"A","partition":-1,"topic":"t"}]', value), 'other-shape')
    assert.equal(read('["c",{"cluster":"A","partition":0,"topic":"t","more":1}]', value), 'other-shape')
    assert.equal(read('["\\ud800",{"cluster":"A","partition":0,"topic":"t"}]', value), 'other-shape')
    assert.equal(read('["c",{"cluster":"\\ud800","partition":0,"topic":"t"}]', value), 'other-shape')
    assert.equal(read('{}', value), 'other-shape')
    assert.equal(read('[', value), 'not-json')
    assert.equal(read(Buffer.of(0xff), value), 'not-utf-8')
    assert.equal(read(null, value), 'no-key')
    assert.equal(read(key, '{"offset":-1}'), 'negative')
    assert.equal(read(key, '{"offset":1.5}'), 'other-shape')
    assert.equal(read(key, '{"offset":9223372036854775808}'), 'other-shape')
    assert.equal(read(key, '{"offset":null}'), 'other-shape')
    assert.equal(read(key, '41'), 'other-shape')
    assert.equal(read(key, '{'), 'not-json')
  })

  test('positions and what is stored for them', () => {
    assert.equal(lastCopiedBefore(sourceOffset(0n)), undefined)
    assert.equal(lastCopiedBefore(sourceOffset(1n)), 0n)
    assert.equal(positionAfter(undefined), undefined)
    assert.equal(positionAfter(sourceOffset(0n)), 1n)
  })

  test('what is no key and no offset is refused', () => {
    assert.throws(() => encodeSourceOffsetKey(of('c', 'A', 't', -1)), RangeError)
    assert.throws(() => encodeSourceOffsetKey(of('c', 'A', 't', 0.5)), RangeError)
    assert.throws(() => encodeSourceOffsetKey(of('\udc00', 'A', 't', 0)), RangeError)
    assert.throws(() => encodeSourceOffsetValue(sourceOffset(-1n)), RangeError)
    assert.throws(() => encodeSourceOffsetValue(sourceOffset(2n ** 63n)), RangeError)
  })
})
