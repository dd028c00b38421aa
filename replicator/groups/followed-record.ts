import { z } from 'zod'
import { sourceOffset, targetOffset } from '../records/offsets.ts'
import type { FlowId } from '../topology/model.ts'
import type { FollowDirection } from './follow-direction.ts'
import type { Followed } from './follow-group.ts'
import type { GroupPartition } from './own-commits.ts'

/** A partition of a group, by the name of the topic whose commits are followed: with `back` that is the copy. */
export interface FollowedKey extends GroupPartition {
  readonly flow: FlowId
  readonly direction: FollowDirection['name']
}

const offset = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform((text) => BigInt(text))
const keySchema = z.object({
  v: z.literal(1),
  flow: z.string(),
  direction: z.enum(['forth', 'back']),
  group: z.string(),
  topic: z.string(),
  partition: z.number().int().min(0),
})
const valueSchema = z.object({
  v: z.literal(1),
  commits: z.array(z.object({ position: offset, offset, metadata: z.string(), atMs: z.number() })),
})

/** A record of the memory of commits that no version of ours known here wrote. */
export class FollowedFormatError extends Error {
  override readonly name = 'FollowedFormatError'
}

/** JSON with a version, members in fixed order: the cleaner compares keys byte by byte. */
export function encodeFollowedKey({ flow, direction, group, topic, partition }: FollowedKey): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, flow, direction, group, topic, partition }))
}

/** @param commits those that may stand on the target now, the one that is about to be made last */
export function encodeFollowed(commits: readonly Followed[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      v: 1,
      commits: commits.map(({ position, offset, metadata, atMs }) => ({
        position: String(position),
        offset: String(offset),
        metadata,
        atMs,
      })),
    }),
  )
}

/** @throws FollowedFormatError */
export function decodeFollowedKey(key: Buffer): FollowedKey {
  const { flow, ...rest } = parsed(keySchema, key)
  return {
    flow: flow as FlowId,
    direction: rest.direction,
    group: rest.group,
    topic: rest.topic,
    partition: rest.partition,
  }
}

/** @throws FollowedFormatError */
export function decodeFollowed(value: Buffer): readonly Followed[] {
  return parsed(valueSchema, value).commits.map(({ position, offset, metadata, atMs }) => ({
    position: sourceOffset(position),
    offset: targetOffset(offset),
    metadata,
    atMs,
  }))
}

function parsed<T>(schema: z.ZodType<T>, bytes: Buffer): T {
  try {
    return schema.parse(JSON.parse(bytes.toString()))
  } catch (error) {
    throw new FollowedFormatError(`Not a record of followed groups: ${String(error)}`, { cause: error })
  }
}
