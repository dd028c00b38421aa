import { z } from 'zod'
import { type SourceOffset, sourceOffset, type TargetOffset, targetOffset } from '../records/offsets.ts'
import type { FlowId } from '../topology/model.ts'

/** Which source partition a progress record speaks of. */
export interface ProgressKey {
  readonly flow: FlowId
  readonly topic: string
  readonly partition: number
}

/**
 * How far a source partition got: all its forwardable records below `sourceNext` are in the target. The pair is
 * written before a partition's first batch too, so that a missing record means "never started".
 */
export interface Progress {
  /** The source topic's id, to notice that it was re-created; `undefined` on brokers without ids. */
  readonly topicId: string | undefined
  readonly sourceNext: SourceOffset
  /** The target offset behind the last acknowledged record; `undefined` until the first one. */
  readonly targetNext: TargetOffset | undefined
}

const offset = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform((text) => BigInt(text))
const keySchema = z.object({
  v: z.literal(1),
  flow: z.string(),
  topic: z.string(),
  partition: z.number().int().min(0),
})
const valueSchema = z.object({
  v: z.literal(1),
  topicId: z.string().optional(),
  sourceNext: offset,
  targetNext: offset.optional(),
})

/** JSON with a version, members in fixed order: the cleaner compares keys byte by byte. */
export function encodeProgressKey(key: ProgressKey): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, flow: key.flow, topic: key.topic, partition: key.partition }))
}

export function encodeProgress(progress: Progress): Buffer {
  return Buffer.from(
    JSON.stringify({
      v: 1,
      topicId: progress.topicId,
      sourceNext: String(progress.sourceNext),
      targetNext: progress.targetNext === undefined ? undefined : String(progress.targetNext),
    }),
  )
}

/** @throws Error when the bytes are not a progress key of a known version. */
export function decodeProgressKey(bytes: Buffer): ProgressKey {
  const { flow, topic, partition } = keySchema.parse(JSON.parse(bytes.toString()))
  return { flow: flow as FlowId, topic, partition }
}

/** @throws Error when the bytes are not progress of a known version. */
export function decodeProgress(bytes: Buffer): Progress {
  const { topicId, sourceNext, targetNext } = valueSchema.parse(JSON.parse(bytes.toString()))
  return {
    topicId,
    sourceNext: sourceOffset(sourceNext),
    targetNext: targetNext === undefined ? undefined : targetOffset(targetNext),
  }
}
