import { isUtf8 } from 'node:buffer'
import { type SourceOffset, sourceOffset } from '../../records/offsets.ts'
import { type Decoded, type FetchedKeyValue, type Undecodable, undecodable } from './fields.ts'

/** The name of the connector in MirrorMaker 2's dedicated mode; on a Connect cluster its user chose it. */
export const dedicatedSourceConnector = 'MirrorSourceConnector'

/** Which source partition a stored source offset speaks of. */
export interface SourceOffsetKey {
  readonly connector: string
  /** The alias of the source cluster. */
  readonly cluster: string
  readonly topic: string
  readonly partition: number
}

/** How far MirrorSourceConnector says that it copied a partition. */
export interface StoredSourceOffset extends SourceOffsetKey {
  /**
   * The last record known to be copied: MirrorMaker 2 goes on at the next one. `undefined`: forgotten (a tombstone), so
   * that it begins anew.
   */
  readonly lastCopied: SourceOffset | undefined
  /**
   * Whether the key's bytes are those that Connect looks up. It compares bytes: a key in another order (written by hand,
   * or by the REST API of Connect 3.5) is in the topic and is never read.
   */
  readonly isLookedUp: boolean
}

const long = 2n ** 63n

/** Where MirrorMaker 2 goes on; `undefined`: where its consumer's `auto.offset.reset` says, `earliest` by default. */
export function positionAfter(lastCopied: SourceOffset | undefined): SourceOffset | undefined {
  return lastCopied === undefined ? undefined : sourceOffset(lastCopied + 1n)
}

/**
 * What to store so that MirrorMaker 2 goes on at a position, whether there is a record before it or a gap; `undefined`
 * (a tombstone) for the position 0.
 */
export function lastCopiedBefore(position: SourceOffset): SourceOffset | undefined {
  return position > 0n ? sourceOffset(position - 1n) : undefined
}

/** JSON as Jackson writes it. `JSON.stringify` differs in the case of control characters' digits alone. */
function jsonText(text: string): string {
  if (!text.isWellFormed()) throw new RangeError('Text with half a surrogate pair cannot be written as UTF-8')
  return JSON.stringify(text).replaceAll(
    /(\\\\)|\\u00([0-9a-f]{2})/g,
    (all, escaped: string | undefined, digits: string) =>
      escaped === undefined ? `\\u00${digits.toUpperCase()}` : all,
  )
}

/**
 * The key of a stored source offset, byte for byte as Connect writes and looks it up: the members stand in the order of
 * Java's HashMap.
 * @throws RangeError for what is no key
 */
export function encodeSourceOffsetKey({ connector, cluster, topic, partition }: SourceOffsetKey): Buffer {
  if (!isPartition(partition)) throw new RangeError(`${partition} is no partition`)
  const members = `"cluster":${jsonText(cluster)},"partition":${partition},"topic":${jsonText(topic)}`
  return Buffer.from(`[${jsonText(connector)},{${members}}]`)
}

/** `undefined` is a tombstone. @throws RangeError for a negative offset or more than an INT64 */
export function encodeSourceOffsetValue(lastCopied: SourceOffset | undefined): Buffer | null {
  if (lastCopied === undefined) return null
  if (lastCopied < 0n || lastCopied >= long) throw new RangeError(`${lastCopied} is no offset`)
  return Buffer.from(`{"offset":${lastCopied}}`)
}

/**
 * Reads a record of `mm2-offsets.<source>.internal` or of Connect's own offsets topic. Those topics hold other
 * connectors' offsets too (also MirrorMaker 2's checkpoints and heartbeats): those are of `other-shape`.
 */
export function decodeSourceOffset({ key, value }: FetchedKeyValue): Decoded<StoredSourceOffset> {
  if (key === null) return undecodable('no-key', 'the record has no key')
  const found = decodeKey(key)
  if (found.kind === 'undecodable') return found
  const decoded = (lastCopied: SourceOffset | undefined): Decoded<StoredSourceOffset> => ({
    kind: 'decoded',
    value: { ...found.value, lastCopied, isLookedUp: encodeSourceOffsetKey(found.value).equals(key) },
  })
  if (value === null) return decoded(undefined)
  const offset = decodeValue(value)
  return typeof offset === 'bigint' ? decoded(sourceOffset(offset)) : offset
}

function decodeKey(bytes: Buffer): Decoded<SourceOffsetKey> {
  const json = parse(bytes, 'the key')
  if (json.kind === 'undecodable') return json
  const other = (what: string) => undecodable('other-shape', `the key ${what}`)
  if (!Array.isArray(json.value) || json.value.length !== 2) return other('is no pair')
  const [connector, of] = json.value as readonly unknown[]
  if (typeof connector !== 'string') return other('does not begin with the name of a connector')
  if (!connector.isWellFormed()) return other("has half a surrogate pair in the connector's name")
  if (typeof of !== 'object' || of === null) return other('does not name a partition')
  const { cluster, topic, partition, ...rest } = of as Readonly<Record<string, unknown>>
  if (Object.keys(rest).length > 0 || !isText(cluster) || !isText(topic) || typeof partition !== 'number')
    return other('is not of a topic partition: a cluster, a partition and a topic')
  if (!isPartition(partition)) return other(`has ${partition} for a partition`)
  return { kind: 'decoded', value: { connector, cluster, topic, partition } }
}

function decodeValue(bytes: Buffer): bigint | Undecodable {
  const json = parse(bytes, 'the value')
  if (json.kind === 'undecodable') return json
  // JSON.parse would round what is beyond 2^53.
  const digits = /^\s*\{\s*"offset"\s*:\s*(-?\d{1,19})\s*\}\s*$/.exec(bytes.toString('utf8'))?.[1]
  if (digits === undefined) return undecodable('other-shape', 'the value is not one whole "offset"')
  const offset = BigInt(digits)
  if (offset < 0n) return undecodable('negative', `the offset is ${offset}`)
  if (offset >= long) return undecodable('other-shape', `the offset ${offset} is more than an INT64`)
  return offset
}

function parse(bytes: Buffer, part: string): Decoded<unknown> {
  if (!isUtf8(bytes)) return undecodable('not-utf-8', `${part} is not UTF-8`)
  try {
    return { kind: 'decoded', value: JSON.parse(bytes.toString('utf8')) }
  } catch (error) {
    return undecodable('not-json', `${part} is not JSON: ${error instanceof Error ? error.message : error}`)
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value.isWellFormed()
}

function isPartition(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value < 2 ** 31
}
