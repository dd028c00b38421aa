import { z } from 'zod'
import type { ProducerIdentity } from '../kafka/cluster.ts'
import type { ForwardingRule } from '../provenance/origins.ts'
import { type SourceOffset, sourceOffset, type TargetOffset, targetOffset } from '../records/offsets.ts'
import type { FlowId } from '../topology/model.ts'

/** Which source partition a progress record speaks of. */
export interface ProgressKey {
  readonly flow: FlowId
  readonly topic: string
  readonly partition: number
}

/**
 * A pair of positions: exactly the forwardable source records below `sourceNext` are in the target below
 * `targetNext`. What was forwarded since was written by `producer`, from `sequence` on and under `rule`, so the target
 * log itself says how much that is. Written before a partition's first batch under a producer, then about once a
 * second.
 */
export interface Progress {
  /** The topics' ids, to notice that one was re-created; `undefined` on brokers without ids. */
  readonly topicId: string | undefined
  readonly targetTopicId: string | undefined
  readonly sourceNext: SourceOffset
  readonly targetNext: TargetOffset
  readonly producer: ProducerIdentity
  /** The sequence number of the next record. */
  readonly sequence: number
  readonly rule: ForwardingRule
  /** The source's leader epoch in which reading stood, at `sourceNext` or above: the source must still reach there in it. */
  readonly sourceEpoch?: number
  /** Why the partition must not go on until a person has decided (`causeway flow resume`), and what can be done. */
  readonly stop?: StoppedForGood
}

/** A stop that restarts and takeovers do not lift. */
export interface StoppedForGood {
  readonly reason: string
  readonly wayOut: string
}

const offset = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform((text) => BigInt(text))
const keySchema = z.object({
  v: z.literal(2),
  flow: z.string(),
  topic: z.string(),
  partition: z.number().int().min(0),
})
const ownerKeySchema = z.object({ v: z.literal(2), flow: z.string(), shard: z.number().int().min(0) })
const valueSchema = z.object({
  v: z.literal(2),
  topicId: z.string().optional(),
  targetTopicId: z.string().optional(),
  sourceNext: offset,
  targetNext: offset,
  producerId: offset,
  producerEpoch: z.number().int().min(0).max(32_767),
  sequence: z.number().int().min(0),
  rule: z.enum(['everything', 'all-but-returned', 'local']),
  sourceEpoch: z.number().int().min(0).optional(),
  stop: z.object({ reason: z.string(), wayOut: z.string() }).optional(),
})

/** JSON with a version, members in fixed order: the cleaner compares keys byte by byte. */
export function encodeProgressKey(key: ProgressKey): Buffer {
  return Buffer.from(JSON.stringify({ v: 2, flow: key.flow, topic: key.topic, partition: key.partition }))
}

export function encodeProgress(progress: Progress): Buffer {
  const { topicId, targetTopicId, sourceNext, targetNext, producer, sequence, rule, sourceEpoch, stop } =
    progress
  return Buffer.from(
    JSON.stringify({
      v: 2,
      topicId,
      targetTopicId,
      sourceNext: String(sourceNext),
      targetNext: String(targetNext),
      producerId: String(producer.producerId),
      producerEpoch: producer.producerEpoch,
      sequence,
      rule,
      sourceEpoch,
      stop: stop === undefined ? undefined : { reason: stop.reason, wayOut: stop.wayOut },
    }),
  )
}

/** The key of a shard's sign of life: it holds no progress, but keeps brokers from forgetting who writes here. */
export function encodeOwnerKey(flow: FlowId, shard: number): Buffer {
  return Buffer.from(JSON.stringify({ v: 2, flow, shard }))
}

/**
 * The partition that a record of the progress topic speaks of, or `undefined` for a shard's sign of life.
 * @throws Error when the bytes are not a key of a known version.
 */
export function decodeProgressKey(bytes: Buffer): ProgressKey | undefined {
  const read = keySchema.or(ownerKeySchema).parse(JSON.parse(bytes.toString()))
  return 'topic' in read
    ? { flow: read.flow as FlowId, topic: read.topic, partition: read.partition }
    : undefined
}

/** @throws Error when the bytes are not progress of a known version. */
export function decodeProgress(bytes: Buffer): Progress {
  const read = valueSchema.parse(JSON.parse(bytes.toString()))
  return {
    topicId: read.topicId,
    targetTopicId: read.targetTopicId,
    sourceNext: sourceOffset(read.sourceNext),
    targetNext: targetOffset(read.targetNext),
    producer: { producerId: read.producerId, producerEpoch: read.producerEpoch },
    sequence: read.sequence,
    rule: read.rule,
    ...(read.sourceEpoch === undefined ? {} : { sourceEpoch: read.sourceEpoch }),
    ...(read.stop === undefined ? {} : { stop: read.stop }),
  }
}
