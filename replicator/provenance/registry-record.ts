import { z } from 'zod'
import type { RegisteredProducer } from './origins.ts'

const number64 = z
  .string()
  .regex(/^\d{1,19}$/)
  .transform((text) => BigInt(text))
const keySchema = z.object({ v: z.literal(1), producerId: number64 })
const valueSchema = z.object({
  v: z.literal(1),
  flow: z.string(),
  shard: z.number().int().min(0),
  progressTopicId: z.string().optional(),
})

/** JSON with a version, members in fixed order: the cleaner compares keys byte by byte. */
export function encodeRegistryKey(producerId: bigint): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, producerId: String(producerId) }))
}

export function encodeRegistryValue({ flow, shard, progressTopicId }: RegisteredProducer): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, flow, shard, progressTopicId }))
}

/** @throws Error when the bytes are not a registered producer of a known version */
export function decodeRegistered(key: Buffer, value: Buffer): RegisteredProducer {
  const { producerId } = keySchema.parse(JSON.parse(key.toString()))
  const { flow, shard, progressTopicId } = valueSchema.parse(JSON.parse(value.toString()))
  return { producerId, flow, shard, progressTopicId }
}
