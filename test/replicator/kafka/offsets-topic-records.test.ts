import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { ByteBuilder } from '../../../replicator/kafka/hot/byte-builder.ts'
import {
  type OffsetsTopicRecord,
  readOffsetsTopicRecord,
} from '../../../replicator/kafka/offsets-topic-records.ts'

const bytes = () => new ByteBuilder(64)
const keyOfGroup = (type: number, group: string) => bytes().int16(type).shortString(group)
const commitKey = (type = 1) => keyOfGroup(type, 'billing').shortString('orders').int32(7).view()
const at = { group: 'billing', topic: 'orders', partition: 7 }

/** A value of a commit in each version there has been. */
const commitValues: Readonly<Record<number, Buffer>> = {
  0: bytes().int16(0).int64(41n).shortString('meta ä').int64(1_000n).view(),
  1: bytes().int16(1).int64(41n).shortString('meta ä').int64(1_000n).int64(9_000n).view(),
  2: bytes().int16(2).int64(41n).shortString('meta ä').int64(1_000n).view(),
  3: bytes().int16(3).int64(41n).int32(5).shortString('meta ä').int64(1_000n).view(),
  4: bytes().int16(4).int64(41n).int32(5).string('meta ä').int64(1_000n).noTags().view(),
}

const read = (key: Buffer | null, value: Buffer | null): OffsetsTopicRecord =>
  readOffsetsTopicRecord(key, value)

describe('commits', () => {
  for (const [version, value] of Object.entries(commitValues)) {
    test(`of version ${version} are read`, () => {
      for (const keyType of [0, 1]) {
        assert.deepEqual(read(commitKey(keyType), value), {
          kind: 'commit',
          ...at,
          offset: 41n,
          leaderEpoch: Number(version) >= 3 ? 5 : undefined,
          metadata: 'meta ä',
          committedAtMs: 1_000,
          expiresAtMs: version === '1' ? 9_000 : undefined,
          topicId: undefined,
        })
      }
    })
  }

  test('tell the topic id, and pass tags by that are not known', () => {
    const topicId = '0a1b2c3d-0000-4000-8000-00000000ffff'
    const fixed = () => bytes().int16(4).int64(41n).int32(-1).string('').int64(1_000n)
    const tagged = fixed().uvarint(2).uvarint(0).uvarint(16).uuid(topicId)
    const record = read(commitKey(), tagged.uvarint(9).uvarint(2).int16(0).view())
    assert(record.kind === 'commit')
    assert.equal(record.topicId, topicId)
    assert.equal(record.leaderEpoch, undefined)
    const strange = read(commitKey(), fixed().uvarint(1).uvarint(0).uvarint(2).int16(0).view())
    assert(strange.kind === 'commit')
    assert.equal(strange.topicId, undefined)
  })

  test('without a value are removed', () => {
    assert.deepEqual(read(commitKey(), null), { kind: 'commit-removed', ...at })
  })
})

describe('classic groups', () => {
  const plain = (version: number) => {
    const value = bytes().int16(version).shortString('consumer').int32(3).shortString('range').int16(-1)
    if (version >= 2) value.int64(5n)
    value.int32(2)
    for (const id of ['a', 'b']) {
      value.shortString(id)
      if (version >= 3) value.int16(-1)
      value.shortString(`client ${id}`).shortString('/10.0.0.1')
      if (version >= 1) value.int32(60_000)
      value.int32(10_000).int32(3).int16(1).int8(1).int32(0)
    }
    return value.view()
  }
  const flexible = () => {
    const value = bytes().int16(4).string('consumer').int32(3).string('range').uvarint(0).int64(5n).uvarint(3)
    for (const id of ['a', 'b']) {
      value
        .string(id)
        .string(`pod ${id}`)
        .string(`client ${id}`)
        .string('/10.0.0.1')
        .int32(60_000)
        .int32(10_000)
      value.uvarint(4).int16(1).int8(1).uvarint(1).uvarint(1).uvarint(3).uvarint(1).int8(0)
    }
    return value.noTags().view()
  }
  const values = [
    ...[0, 1, 2, 3].map((version) => [version, plain(version)] as const),
    [4, flexible()] as const,
  ]
  for (const [version, value] of values) {
    test(`of version ${version} are read with their members`, () => {
      assert.deepEqual(read(keyOfGroup(2, 'billing').view(), value), {
        kind: 'classic-group',
        group: 'billing',
        protocolType: 'consumer',
        generation: 3,
        members: [
          { memberId: 'a', clientId: 'client a', host: '/10.0.0.1' },
          { memberId: 'b', clientId: 'client b', host: '/10.0.0.1' },
        ],
      })
    })
  }

  test('without a value are removed', () => {
    const key = keyOfGroup(2, 'billing').view()
    assert.deepEqual(read(key, null), { kind: 'classic-group-removed', group: 'billing' })
  })
})

describe('groups under newer protocols', () => {
  const something = Buffer.from([0, 0, 1, 2, 3])
  const group = 'billing'

  test('have an epoch, or are gone', () => {
    for (const [keyType, type] of [
      [3, 'consumer'],
      [11, 'share'],
      [17, 'streams'],
    ] as const) {
      const key = keyOfGroup(keyType, group).view()
      assert.deepEqual(read(key, something), { kind: 'group', group, type, removed: false })
      assert.deepEqual(read(key, null), { kind: 'group', group, type, removed: true })
    }
  })

  test('have members that come and go', () => {
    for (const [keyType, type] of [
      [5, 'consumer'],
      [10, 'share'],
      [19, 'streams'],
    ] as const) {
      const key = keyOfGroup(keyType, group).shortString('m-1').view()
      const member = { kind: 'member', group, type, memberId: 'm-1' }
      assert.deepEqual(read(key, something), { ...member, joined: true })
      assert.deepEqual(read(key, null), { ...member, joined: false })
    }
  })

  test('and all the rest is theirs', () => {
    const types = { consumer: [4, 6, 7, 8, 16], share: [9, 12, 13, 14, 15], streams: [18, 20, 21, 22, 23] }
    for (const [type, keyTypes] of Object.entries(types)) {
      for (const keyType of keyTypes) {
        const key = keyOfGroup(keyType, group).shortString('more').view()
        assert.deepEqual(read(key, something), { kind: 'group-detail', group, type, keyType })
        assert.deepEqual(read(key, null), { kind: 'group-detail', group, type, keyType })
      }
    }
  })
})

describe('what cannot be read', () => {
  const unknown = (record: OffsetsTopicRecord, group: string | undefined, reason: RegExp) => {
    assert(record.kind === 'unknown', `${record.kind} is unknown`)
    assert.equal(record.group, group)
    assert.match(record.reason, reason)
  }

  test('is a key of a later type, and one that is missing', () => {
    unknown(read(keyOfGroup(24, 'g').view(), Buffer.alloc(2)), undefined, /keys of type 24/)
    unknown(read(keyOfGroup(-1, 'g').view(), null), undefined, /keys of type -1/)
    unknown(read(null, Buffer.alloc(2)), undefined, /no key/)
    unknown(read(bytes().int16(1).int16(-1).view(), null), undefined, /a string is null/)
  })

  test('is a value of a later version, whose group is known', () => {
    unknown(read(commitKey(), bytes().int16(5).int64(1n).view()), 'billing', /commits in version 5/)
    unknown(read(keyOfGroup(2, 'billing').view(), bytes().int16(5).view()), 'billing', /groups in version 5/)
  })

  test('is a commit that ends early, wherever it ends', () => {
    for (const value of Object.values(commitValues)) {
      for (let end = 0; end < value.length; end++)
        unknown(read(commitKey(), value.subarray(0, end)), 'billing', /cannot be read/)
    }
    const key = commitKey()
    for (let end = 0; end < key.length; end++) {
      const record = read(key.subarray(0, end), commitValues[3] ?? null)
      assert.equal(record.kind, 'unknown')
    }
  })

  test('never ends in an exception', () => {
    const small = fc.uint8Array({ maxLength: 60 })
    const keys = fc
      .tuple(fc.integer({ min: -2, max: 30 }), fc.string({ maxLength: 4 }), small)
      .map(([type, group, rest]) => Buffer.concat([keyOfGroup(type, group).view(), rest]))
    const values = fc
      .tuple(fc.integer({ min: -1, max: 6 }), small)
      .map(([version, rest]) => Buffer.concat([bytes().int16(version).view(), rest]))
    const any = small.map((rest) => Buffer.from(rest))
    fc.assert(
      fc.property(fc.oneof(keys, any), fc.option(fc.oneof(values, any)), (key, value) => {
        assert.equal(typeof read(key, value).kind, 'string')
      }),
    )
  })
})
