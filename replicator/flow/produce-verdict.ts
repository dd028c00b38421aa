import type { KafkaError } from '../kafka/errors.ts'

/**
 * What a refused batch asks for.
 * `resend`: the same again, after asking who leads; `take-anew`: the broker's memory of our sequences and ours
 * differ, so only the log itself says where it stands; `fenced`: another process owns the shard; `split`: too large
 * for the target; `wait`: somebody must lift something first, and may; `stop`: it will never pass as it is.
 */
export type ProduceVerdict =
  | { readonly kind: 'resend' }
  | { readonly kind: 'take-anew' }
  | { readonly kind: 'fenced' }
  | { readonly kind: 'split' }
  | { readonly kind: 'wait'; readonly wayOut: string }
  | { readonly kind: 'stop'; readonly wayOut: string }

/** Kafka's error codes that a batch on its way can meet (https://kafka.apache.org/protocol, "Error codes"). */
const code = {
  corruptMessage: 2,
  messageTooLarge: 10,
  topicAuthorizationFailed: 29,
  clusterAuthorizationFailed: 31,
  invalidTimestamp: 32,
  unsupportedForMessageFormat: 43,
  policyViolation: 44,
  outOfOrderSequence: 45,
  duplicateSequence: 46,
  invalidProducerEpoch: 47,
  unknownProducerId: 59,
  unsupportedCompression: 76,
  invalidRecord: 87,
  producerFenced: 90,
} as const

/** Decides by the error alone. Everything retriable is sent again; everything unknown stops the partition. */
export function produceVerdict(error: KafkaError): ProduceVerdict {
  switch (error.code) {
    case code.duplicateSequence:
    case code.outOfOrderSequence:
    case code.unknownProducerId:
      return { kind: 'take-anew' }
    case code.invalidProducerEpoch:
    case code.producerFenced:
      return { kind: 'fenced' }
    case code.messageTooLarge:
      return { kind: 'split' }
    case code.topicAuthorizationFailed:
    case code.clusterAuthorizationFailed:
    case code.policyViolation:
      return { kind: 'wait', wayOut: error.wayOut ?? 'Grant the replicator WRITE on the target topic.' }
    case code.invalidTimestamp:
      return {
        kind: 'stop',
        wayOut:
          'Raise message.timestamp.before.max.ms or message.timestamp.after.max.ms of the target topic, then restart the flow. Timestamps are never changed.',
      }
    case code.invalidRecord:
      return {
        kind: 'stop',
        wayOut:
          'If the target topic is compacted and the source has records without keys, set cleanup.policy=delete on the target topic, then restart the flow.',
      }
    case code.corruptMessage:
      return {
        kind: 'stop',
        wayOut:
          'The batch was whole when it was fetched: check the memory and the network between here and the target.',
      }
    case code.unsupportedCompression:
    case code.unsupportedForMessageFormat:
      return { kind: 'stop', wayOut: "Use target brokers that know the batch's codec and format." }
    default:
      if (error.retriable || error.code === undefined) return { kind: 'resend' }
      return { kind: 'stop', wayOut: error.wayOut ?? 'Mend the cause, then restart the flow.' }
  }
}
