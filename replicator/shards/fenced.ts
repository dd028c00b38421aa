import { KafkaError } from '../kafka/errors.ts'

/** INVALID_PRODUCER_EPOCH from a partition's leader, PRODUCER_FENCED and INVALID_PRODUCER_ID_MAPPING from a coordinator. */
const fencedCodes = [47, 90, 49]

/** Whether an error says that a newer producer has taken this one's place. */
export function isFenced(error: unknown): boolean {
  return error instanceof KafkaError && fencedCodes.includes(error.code ?? 0)
}

/** Another process owns the shard now: nothing may be written for it before it was taken over again. */
export class ShardLostError extends Error {
  override readonly name = 'ShardLostError'
  readonly shard: number

  constructor(shard: number, cause?: unknown) {
    super(`Shard ${shard} was taken over by another process`, { cause })
    this.shard = shard
  }
}
