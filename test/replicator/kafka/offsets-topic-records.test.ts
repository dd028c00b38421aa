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

/** Keys and values that a broker of Kafka 4.3.1 wrote, and what they say. */
const stored: readonly (readonly [key: string, value: string | null, says: OffsetsTopicRecord])[] = [
  [
    '0002000762696c6c696e67',
    '00030008636f6e73756d6572000000010012526f756e64526f62696e41737369676e657200286170702d62613534636631382d623461612d343333622d383235342d616663343461663735363464000001a2072bfd670000000100286170702d62613534636631382d623461612d343333622d383235342d616663343461663735363464ffff0003617070000a2f3132372e302e302e310000ea60000075300000001200000000000100066f7264657273000000000000001a00000000000100066f7264657273000000010000000000000000',
    {
      kind: 'classic-group',
      group: 'billing',
      protocolType: 'consumer',
      generation: 1,
      members: [
        { memberId: 'app-ba54cf18-b4aa-433b-8254-afc44af7564d', clientId: 'app', host: '/127.0.0.1' },
      ],
    },
  ],
  [
    '0001000762696c6c696e6700066f726465727300000000',
    '0004000000000000002affffffff03c2b5000001a2072bfe2a010010343252c72c0a43f6b6e22e66b0ae5a4a',
    {
      kind: 'commit',
      group: 'billing',
      topic: 'orders',
      partition: 0,
      offset: 42n,
      leaderEpoch: undefined,
      metadata: 'µ',
      committedAtMs: 1_795_416_653_354,
      expiresAtMs: undefined,
      topicId: '343252c7-2c0a-43f6-b6e2-2e66b0ae5a4a',
    },
  ],
  [
    '0002000762696c6c696e67',
    '00030008636f6e73756d657200000002ffffffff000001a2072c121600000000',
    { kind: 'classic-group', group: 'billing', protocolType: 'consumer', generation: 2, members: [] },
  ],
  [
    '0001000762696c6c696e6700066f726465727300000000',
    null,
    { kind: 'commit-removed', group: 'billing', topic: 'orders', partition: 0 },
  ],
  [
    '000500056e65776572002462376261313933632d613135312d343035662d623366312d613932366532336530633262',
    '00000000046170700b2f3132372e302e302e3102076f72646572730100018e700001000100',
    {
      kind: 'member',
      group: 'newer',
      type: 'consumer',
      memberId: 'b7ba193c-a151-405f-b3f1-a926e23e0c2b',
      joined: true,
    },
  ],
  [
    '000300056e65776572',
    '0000000000020100080b76cc7d42097e32',
    { kind: 'group', group: 'newer', type: 'consumer', removed: false },
  ],
  [
    '000600056e65776572',
    '000000000002010008000001a2072c155a',
    { kind: 'group-detail', group: 'newer', type: 'consumer', keyType: 6 },
  ],
  [
    '000800056e65776572002462376261313933632d613135312d343035662d623366312d613932366532336530633262',
    null,
    { kind: 'group-detail', group: 'newer', type: 'consumer', keyType: 8 },
  ],
  [
    '000100046f75727300066f726465727300000000',
    '000400000000000000070000000301000001a2072c1245010010343252c72c0a43f6b6e22e66b0ae5a4a',
    {
      kind: 'commit',
      group: 'ours',
      topic: 'orders',
      partition: 0,
      offset: 7n,
      leaderEpoch: 3,
      metadata: '',
      committedAtMs: 1_795_416_658_501,
      expiresAtMs: undefined,
      topicId: '343252c7-2c0a-43f6-b6e2-2e66b0ae5a4a',
    },
  ],
]

test('records of a real broker say what happened', () => {
  const hex = (text: string) => Buffer.from(text, 'hex')
  for (const [key, value, says] of stored)
    assert.deepEqual(read(hex(key), value === null ? null : hex(value)), says)
})

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
