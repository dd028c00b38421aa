import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  type Checkpoint,
  decodeCheckpoint,
  encodeCheckpoint,
} from '../../../../replicator/offsets/mm2/checkpoint.ts'
import type { Decoded, FetchedKeyValue, KeyValue } from '../../../../replicator/offsets/mm2/fields.ts'
import {
  decodeHeartbeat,
  encodeHeartbeat,
  type Heartbeat,
} from '../../../../replicator/offsets/mm2/heartbeat.ts'
import {
  decodeOffsetSync,
  encodeOffsetSync,
  type OffsetSync,
} from '../../../../replicator/offsets/mm2/offset-sync.ts'
import { sourceOffset, targetOffset } from '../../../../replicator/records/offsets.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const text = fc.string({ unit: 'grapheme', maxLength: 60 })
const offset = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n })
const partition = fc.integer({ min: 0, max: 2 ** 31 - 1 })
const bytes = fc.uint8Array({ maxLength: 80 }).map((array) => Buffer.from(array))

const sync = (topic: string, of: number, from: bigint, to: bigint): OffsetSync => ({
  topic,
  partition: of,
  upstreamOffset: sourceOffset(from),
  downstreamOffset: targetOffset(to),
})
const checkpoint = (
  group: string,
  topic: string,
  of: number,
  from: bigint,
  to: bigint,
  metadata: string,
) => ({
  group,
  ...sync(topic, of, from, to),
  metadata,
})

interface Format<T> {
  readonly name: string
  readonly encode: (value: T) => KeyValue
  readonly decode: (record: FetchedKeyValue) => Decoded<T>
  readonly example: T
  readonly key: Buffer
  readonly value: Buffer
  readonly any: fc.Arbitrary<T>
}

const offsetSyncs: Format<OffsetSync> = {
  name: 'offset-syncs',
  encode: encodeOffsetSync,
  decode: decodeOffsetSync,
  example: sync('t1', 2, 5n, 9n),
  key: hex('0002 7431 00000002'),
  value: hex('0000000000000005 0000000000000009'),
  any: fc.tuple(text, partition, offset, offset).map((of) => sync(...of)),
}
const checkpoints: Format<Checkpoint> = {
  name: 'checkpoints',
  encode: encodeCheckpoint,
  decode: decodeCheckpoint,
  example: checkpoint('g', 'A.t', 0, 10n, 7n, ''),
  key: hex('0001 67 0003 412e74 00000000'),
  value: hex('0000 000000000000000a 0000000000000007 0000'),
  any: fc.tuple(text, text, partition, offset, offset, text).map((of) => checkpoint(...of)),
}
const heartbeats: Format<Heartbeat> = {
  name: 'heartbeats',
  encode: encodeHeartbeat,
  decode: decodeHeartbeat,
  example: { source: 'A', target: 'B', timestampMs: 1_700_000_000_000n },
  key: hex('0001 41 0001 42'),
  value: hex('0000 0000018bcfe56800'),
  any: fc.tuple(text, text, offset).map(([source, target, timestampMs]) => ({ source, target, timestampMs })),
}

function formatHolds<T>({ name, encode, decode, example, key, value, any }: Format<T>): void {
  describe(name, () => {
    test('the worked example, both ways', () => {
      assert.deepEqual(encode(example), { key, value })
      assert.deepEqual(decode({ key, value }), { kind: 'decoded', value: example })
    })

    test('whatever is written is read back', () => {
      fc.assert(
        fc.property(any, (entry) => {
          assert.deepEqual(decode(encode(entry)), { kind: 'decoded', value: entry })
        }),
      )
    })

    test('whatever the bytes are, reading them does not throw; what is read has these very bytes', () => {
      const part = fc.oneof(bytes, fc.constant(null))
      fc.assert(
        fc.property(part, part, (ofKey, ofValue) => {
          const read = decode({ key: ofKey, value: ofValue })
          if (read.kind === 'decoded') assert.deepEqual(encode(read.value), { key: ofKey, value: ofValue })
        }),
      )
    })

    test('damage of what was written is told or is another entry, never the same one', () => {
      fc.assert(
        fc.property(any, fc.nat(), fc.integer({ min: 1, max: 255 }), (entry, place, change) => {
          const written = encode(entry)
          const part = place % 2 === 0 ? 'key' : 'value'
          const at = (place >> 1) % written[part].length
          const damaged = Buffer.from(written[part])
          damaged[at]! ^= change
          const read = decode({ ...written, [part]: damaged })
          if (read.kind === 'decoded') assert.notDeepEqual(read.value, entry)
        }),
      )
    })

    test('every shortened or lengthened part is told', () => {
      for (const part of ['key', 'value'] as const) {
        const whole = part === 'key' ? key : value
        const reasons = (changed: Buffer) => {
          const read = decode({ key, value, [part]: changed })
          return read.kind === 'undecodable' ? read.reason : read.kind
        }
        for (let left = 0; left < whole.length; left++)
          assert.equal(reasons(whole.subarray(0, left)), 'cut-off', `${part} of ${left} bytes`)
        assert.equal(reasons(Buffer.concat([whole, Buffer.of(0)])), 'left-over')
      }
    })

    test('a missing part is told', () => {
      assert.equal(reasonOf(decode({ key: null, value })), 'no-key')
      assert.equal(reasonOf(decode({ key, value: null })), 'tombstone')
    })
  })
}

const reasonOf = (read: Decoded<unknown>): string => (read.kind === 'undecodable' ? read.reason : read.kind)

describe('the records of MirrorMaker 2', () => {
  formatHolds(offsetSyncs)
  formatHolds(checkpoints)
  formatHolds(heartbeats)

  test('what cannot be right is told with its field', () => {
    const { key, value } = checkpoints
    const changed = (part: Buffer, at: number, into: string) => {
      const copy = Buffer.from(part)
      hex(into).copy(copy, at)
      return copy
    }
    assert.deepEqual(decodeCheckpoint({ key, value: changed(value, 0, '0001') }), {
      kind: 'undecodable',
      reason: 'unknown-version',
      detail: 'version 1, only 0 is known',
    })
    assert.deepEqual(decodeCheckpoint({ key, value: changed(value, 10, 'ffffffffffffffff') }), {
      kind: 'undecodable',
      reason: 'negative',
      detail: 'the downstream offset is -1',
    })
    assert.deepEqual(decodeCheckpoint({ key: changed(key, 8, 'fffffffe'), value }), {
      kind: 'undecodable',
      reason: 'negative',
      detail: 'the partition is -2',
    })
    assert.deepEqual(decodeCheckpoint({ key: changed(key, 0, 'ffff'), value }), {
      kind: 'undecodable',
      reason: 'bad-length',
      detail: 'the group has a length of -1',
    })
    assert.deepEqual(decodeCheckpoint({ key: changed(key, 2, 'ff'), value }), {
      kind: 'undecodable',
      reason: 'not-utf-8',
      detail: 'the group is not UTF-8',
    })
    assert.equal(
      reasonOf(decodeHeartbeat({ key: heartbeats.key, value: changed(heartbeats.value, 0, '0002') })),
      'unknown-version',
    )
  })

  test('lengths count bytes of UTF-8, and a mark of byte order is kept', () => {
    const entry = checkpoint('gruppe-\u00fc', 'A.t', 0, 1n, 1n, '\ufeffm')
    const { key, value } = encodeCheckpoint(entry)
    assert.equal(key.readInt16BE(0), 9)
    assert.equal(value.readInt16BE(18), 4)
    assert.deepEqual(decodeCheckpoint({ key, value }), { kind: 'decoded', value: entry })
  })

  test('what the formats cannot carry is refused', () => {
    assert.throws(() => encodeOffsetSync(sync('t', 0, -1n, 0n)), RangeError)
    assert.throws(() => encodeOffsetSync(sync('t', 0, 0n, 2n ** 63n)), RangeError)
    assert.throws(() => encodeOffsetSync(sync('t', -1, 0n, 0n)), RangeError)
    assert.throws(() => encodeOffsetSync(sync('t', 2 ** 31, 0n, 0n)), RangeError)
    assert.throws(() => encodeOffsetSync(sync('\ud800', 0, 0n, 0n)), RangeError)
    assert.throws(() => encodeCheckpoint(checkpoint('g', 't', 0, 0n, 0n, 'm'.repeat(32_768))), RangeError)
    const longest = checkpoint('g', 't', 0, 0n, 0n, 'm'.repeat(32_767))
    assert.deepEqual(decodeCheckpoint(encodeCheckpoint(longest)), { kind: 'decoded', value: longest })
  })
})
