import type { KafkaError } from './errors.ts'

/** The answer about one part of a larger request. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: KafkaError }
export type Outcome = Result<void>

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

export interface PartitionOutcome extends TopicPartition {
  readonly result: Outcome
}
