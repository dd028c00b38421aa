import { KafkaError } from '../kafka/errors.ts'

/** Errors that a broker gives before it appends anything (https://kafka.apache.org/protocol, "Error codes"). */
const notAppended: readonly number[] = [
  2, // CORRUPT_MESSAGE
  3, // UNKNOWN_TOPIC_OR_PARTITION
  5, // LEADER_NOT_AVAILABLE
  6, // NOT_LEADER_OR_FOLLOWER
  10, // MESSAGE_TOO_LARGE
  18, // RECORD_LIST_TOO_LARGE
  19, // NOT_ENOUGH_REPLICAS
  29, // TOPIC_AUTHORIZATION_FAILED
  31, // CLUSTER_AUTHORIZATION_FAILED
  32, // INVALID_TIMESTAMP
  43, // UNSUPPORTED_FOR_MESSAGE_FORMAT
  44, // POLICY_VIOLATION
  45, // OUT_OF_ORDER_SEQUENCE_NUMBER
  47, // INVALID_PRODUCER_EPOCH
  59, // UNKNOWN_PRODUCER_ID
  76, // UNSUPPORTED_COMPRESSION_TYPE
  87, // INVALID_RECORD
]

/** Whether a batch that was not acknowledged may be in the log all the same. */
export function mayBeAppended(error: unknown): boolean {
  return !(error instanceof KafkaError) || error.code === undefined || !notAppended.includes(error.code)
}
