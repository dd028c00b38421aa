import { ByteCursor } from './hot/byte-cursor.ts'

/** The internal topic in which coordinators keep groups and what they committed. */
export const offsetsTopic = '__consumer_offsets'

/**
 * What one record of {@link offsetsTopic} says. The formats are Kafka's own, not part of its protocol
 * (`group-coordinator/src/main/resources/common/message` of Kafka 4.3): what a newer broker writes is a variant here.
 */
export type OffsetsTopicRecord =
  | CommitRecord
  /** The commit expired, was deleted, or its group was. */
  | {
      readonly kind: 'commit-removed'
      readonly group: string
      readonly topic: string
      readonly partition: number
    }
  /** A group under the classic protocol after a rebalance, with all of its members. */
  | {
      readonly kind: 'classic-group'
      readonly group: string
      readonly protocolType: string
      readonly generation: number
      readonly members: readonly ClassicMember[]
    }
  | { readonly kind: 'classic-group-removed'; readonly group: string }
  /** One member of a group under a newer protocol has joined, or is gone. */
  | {
      readonly kind: 'member'
      readonly group: string
      readonly type: NewerGroupType
      readonly memberId: string
      readonly joined: boolean
    }
  /** Such a group has a new epoch, or is gone. */
  | {
      readonly kind: 'group'
      readonly group: string
      readonly type: NewerGroupType
      readonly removed: boolean
    }
  /** Something else about such a group: assignments, subscriptions. Says nothing of commits or members. */
  | {
      readonly kind: 'group-detail'
      readonly group: string
      readonly type: NewerGroupType
      readonly keyType: number
    }
  /** `group` is known where only the value cannot be read. */
  | { readonly kind: 'unknown'; readonly group: string | undefined; readonly reason: string }

/** Group types since KIP-848: consumer (KIP-848), share (KIP-932), streams (KIP-1071). */
export type NewerGroupType = 'consumer' | 'share' | 'streams'

export interface ClassicMember {
  readonly memberId: string
  readonly clientId: string
  /** As the coordinator saw it, such as `/10.0.0.1`. */
  readonly host: string
}

export interface CommitRecord {
  readonly kind: 'commit'
  readonly group: string
  readonly topic: string
  readonly partition: number
  /** The next offset to read. */
  readonly offset: bigint
  /** Of the last record that was consumed; `undefined` when the client did not say. */
  readonly leaderEpoch: number | undefined
  readonly metadata: string
  readonly committedAtMs: number
  /** Only by clients before 2.1, which choose how long their commits last. */
  readonly expiresAtMs: number | undefined
  /** Canonical text of the topic's id, where the coordinator knew it (value 4, Kafka 4.1). */
  readonly topicId: string | undefined
}

interface NewerKey {
  readonly type: NewerGroupType
  readonly says: 'group' | 'member' | 'detail'
}

const newer = (type: NewerGroupType, says: NewerKey['says'] = 'detail'): NewerKey => ({ type, says })

/** By the version that begins their keys (`CoordinatorRecordType`). After the group may come more, which we pass by. */
const newerKeys: Readonly<Record<number, NewerKey>> = {
  3: newer('consumer', 'group'),
  4: newer('consumer'),
  5: newer('consumer', 'member'),
  6: newer('consumer'),
  7: newer('consumer'),
  8: newer('consumer'),
  9: newer('share'),
  10: newer('share', 'member'),
  11: newer('share', 'group'),
  12: newer('share'),
  13: newer('share'),
  14: newer('share'),
  15: newer('share'),
  16: newer('consumer'),
  17: newer('streams', 'group'),
  18: newer('streams'),
  19: newer('streams', 'member'),
  20: newer('streams'),
  21: newer('streams'),
  22: newer('streams'),
  23: newer('streams'),
}

const commitKeys: readonly number[] = [0, 1]
const classicGroupKey = 2
const newestValue = 4
/** From this version of either value on lengths are varints and fields may be tagged (KIP-482). */
const firstFlexible = 4

/**
 * Reads one record of {@link offsetsTopic}. Never throws: what cannot be read is `unknown`, with the reason.
 * Records of aborted transactions, and of those still open, are the reader's business: fetch with read_committed.
 */
export function readOffsetsTopicRecord(key: Buffer | null, value: Buffer | null): OffsetsTopicRecord {
  let group: string | undefined
  try {
    if (key === null) return { kind: 'unknown', group, reason: 'the record has no key' }
    const fields = new ByteCursor(key, 0)
    const keyType = fields.int16()
    const known = newerKeys[keyType]
    if (known === undefined && keyType !== classicGroupKey && !commitKeys.includes(keyType))
      return { kind: 'unknown', group, reason: `keys of type ${keyType} are not known here` }
    group = text(fields, false)
    if (keyType === classicGroupKey) return readClassicGroup(group, value)
    if (known === undefined) return readCommit(group, text(fields, false), fields.int32(), value)
    const { type, says } = known
    if (says === 'group') return { kind: 'group', group, type, removed: value === null }
    if (says === 'detail') return { kind: 'group-detail', group, type, keyType }
    return { kind: 'member', group, type, memberId: text(fields, false), joined: value !== null }
  } catch (error) {
    // Of the cursor and of buffers: a field is cut off, or its length is out of thin air.
    if (!(error instanceof RangeError)) throw error
    return { kind: 'unknown', group, reason: `the record cannot be read (${error.message})` }
  }
}

function readCommit(
  group: string,
  topic: string,
  partition: number,
  value: Buffer | null,
): OffsetsTopicRecord {
  if (value === null) return { kind: 'commit-removed', group, topic, partition }
  const fields = new ByteCursor(value, 0)
  const version = fields.int16()
  if (version < 0 || version > newestValue) return unknownValue(group, 'commits', version)
  const flexible = version >= firstFlexible
  const offset = fields.int64()
  const leaderEpoch = version >= 3 ? fields.int32() : -1
  const metadata = text(fields, flexible)
  const committedAtMs = Number(fields.int64())
  const expiresAtMs = version === 1 ? Number(fields.int64()) : -1
  const topicId = flexible ? readTopicId(fields) : undefined
  return {
    kind: 'commit',
    group,
    topic,
    partition,
    offset,
    leaderEpoch: leaderEpoch < 0 ? undefined : leaderEpoch,
    metadata,
    committedAtMs,
    expiresAtMs: expiresAtMs < 0 ? undefined : expiresAtMs,
    topicId,
  }
}

function readClassicGroup(group: string, value: Buffer | null): OffsetsTopicRecord {
  if (value === null) return { kind: 'classic-group-removed', group }
  const fields = new ByteCursor(value, 0)
  const version = fields.int16()
  if (version < 0 || version > newestValue) return unknownValue(group, 'groups', version)
  const flexible = version >= firstFlexible
  const protocolType = text(fields, flexible)
  const generation = fields.int32()
  nullableText(fields, flexible) // protocol
  nullableText(fields, flexible) // leader
  if (version >= 2) fields.int64() // time of the last change
  const members: ClassicMember[] = []
  for (let left = length(fields, flexible); left > 0; left--) members.push(readMember(fields, version))
  return { kind: 'classic-group', group, protocolType, generation, members }
}

function readMember(fields: ByteCursor, version: number): ClassicMember {
  const flexible = version >= firstFlexible
  const memberId = text(fields, flexible)
  if (version >= 3) nullableText(fields, flexible) // instance id
  const clientId = text(fields, flexible)
  const host = text(fields, flexible)
  if (version >= 1) fields.int32() // rebalance timeout
  fields.int32() // session timeout
  skipBytes(fields, flexible) // subscription
  skipBytes(fields, flexible) // assignment
  if (flexible) fields.skipTags()
  return { memberId, clientId, host }
}

function unknownValue(group: string, of: string, version: number): OffsetsTopicRecord {
  return { kind: 'unknown', group, reason: `values of ${of} in version ${version} are not known here` }
}

/** The only tagged field there is yet. */
const topicIdTag = 0

function readTopicId(fields: ByteCursor): string | undefined {
  let topicId: string | undefined
  for (let left = fields.uvarint(); left > 0; left--) {
    const tag = fields.uvarint()
    const bytes = fields.uvarint()
    if (tag === topicIdTag && bytes === 16) topicId = fields.uuid()
    else fields.skip(bytes)
  }
  return topicId
}

function text(fields: ByteCursor, flexible: boolean): string {
  const read = nullableText(fields, flexible)
  if (read === undefined) throw new RangeError('a string is null')
  return read
}

function nullableText(fields: ByteCursor, flexible: boolean): string | undefined {
  if (flexible) return fields.nullableString()
  const bytes = fields.int16()
  if (bytes < 0) return undefined
  const start = fields.position
  fields.skip(bytes)
  return fields.buffer.toString('utf8', start, fields.position)
}

function skipBytes(fields: ByteCursor, flexible: boolean): void {
  fields.skip(length(fields, flexible))
}

/** Of an array or of bytes; null counts as empty. */
function length(fields: ByteCursor, flexible: boolean): number {
  return flexible ? fields.arrayLength() : Math.max(0, fields.int32())
}
