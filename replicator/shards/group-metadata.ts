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
  /** The generation that it comes from. Saying a new one makes a coordinator rebalance where nothing else is new. */
  readonly generation: number | undefined
}

/** What a member is told. */
export interface GroupShare {
  readonly shards: readonly number[]
  /** It had these and has to give them back, then to join again: until then nobody gets them. */
  readonly revoked: readonly number[]
}

const shard = z.number().int().min(0)
const metadataSchema = z.object({
  v: z.literal(1),
  owned: z.array(shard),
  generation: z.number().int().optional(),
})
const shareSchema = z.object({ v: z.literal(1), shards: z.array(shard), revoked: z.array(shard) })

export function encodeMetadata({ owned, generation }: GroupMetadata): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, owned, generation }))
}

/** @throws Error when the bytes are not of this version */
export function decodeMetadata(bytes: Buffer): GroupMetadata {
  const { owned, generation } = metadataSchema.parse(JSON.parse(bytes.toString()))
  return { owned, generation }
}

export function encodeShare({ shards, revoked }: GroupShare): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, shards, revoked }))
}

/**
 * No bytes are an empty share: a coordinator gives them to members that the leader left out.
 * @throws Error when the bytes are not of this version
 */
export function decodeShare(bytes: Buffer): GroupShare {
  if (bytes.length === 0) return { shards: [], revoked: [] }
  const { shards, revoked } = shareSchema.parse(JSON.parse(bytes.toString()))
  return { shards, revoked }
}
