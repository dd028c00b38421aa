import { z } from 'zod'

/** Shows in brokers' tools what kind of group this is. */
export const groupProtocolType = 'causeway'

/**
 * The protocol that replicas agree on. Its name carries the number of shards: a coordinator lets no member in that
 * has no protocol in common with the others, so replicas that are configured for different numbers never mix.
 */
export function groupProtocolName(shards: number): string {
  return `causeway-shards-v1-of-${shards}`
}

/** What a member says when it joins. */
export interface GroupMetadata {
  /** The shards that it may be writing now. */
  readonly owned: readonly number[]
}

const shard = z.number().int().min(0)
const metadataSchema = z.object({ v: z.literal(1), owned: z.array(shard) })
const shareSchema = z.object({ v: z.literal(1), shards: z.array(shard) })

export function encodeMetadata({ owned }: GroupMetadata): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, owned: owned.toSorted((a, b) => a - b) }))
}

/** @throws Error when the bytes are not of this version */
export function decodeMetadata(bytes: Buffer): GroupMetadata {
  return { owned: metadataSchema.parse(JSON.parse(bytes.toString())).owned }
}

export function encodeShare(shards: readonly number[]): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, shards }))
}

/**
 * No bytes are an empty share: a coordinator gives them to members that the leader left out.
 * @throws Error when the bytes are not of this version
 */
export function decodeShare(bytes: Buffer): readonly number[] {
  return bytes.length === 0 ? [] : shareSchema.parse(JSON.parse(bytes.toString())).shards
}
