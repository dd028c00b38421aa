import type { KafkaError } from '../kafka/errors.ts'

/** What a partition's failed fetch asks for. */
export type FetchVerdict =
  | { readonly kind: 'retry' }
  /** The position is not in the source's log (any more). */
  | { readonly kind: 'out-of-range' }
  | { readonly kind: 'wait'; readonly wayOut: string }
  /** What is stored there cannot be read: another replica may have it whole, or a person goes around it. */
  | { readonly kind: 'damaged'; readonly wayOut: string }
  | { readonly kind: 'stop'; readonly wayOut: string }

const code = {
  offsetOutOfRange: 1,
  corruptMessage: 2,
  topicAuthorizationFailed: 29,
  unknownTopicId: 100,
  inconsistentTopicId: 103,
} as const

/** What to do about stored bytes that cannot be read. */
export const damageWayOut =
  'Nothing from there on was forwarded. Check that partition of the source with kafka-dump-log; delete the damaged records (kafka-delete-records) or restore them, or make a whole replica the leader, then restart the flow.'

/** What to do about batches that were written for Kafka 0.10 or older. */
export const oldFormatWayOut =
  'Nothing from there on was forwarded. Copy these records into a new topic with any client and replicate that one, or delete them (kafka-delete-records), then restart the flow.'

/** Decides by the error alone. */
export function fetchVerdict(error: KafkaError): FetchVerdict {
  if (error.code === code.offsetOutOfRange) return { kind: 'out-of-range' }
  if (error.code === code.topicAuthorizationFailed) {
    return { kind: 'wait', wayOut: error.wayOut ?? 'Grant the replicator READ on the source topic.' }
  }
  if (error.code === code.corruptMessage || error.kind === 'malformed') {
    return { kind: 'damaged', wayOut: damageWayOut }
  }
  // Topic ids travel through the cluster; a topic that was really re-created is reported by discovery.
  if (error.code === code.unknownTopicId || error.code === code.inconsistentTopicId) return { kind: 'retry' }
  if (error.retriable) return { kind: 'retry' }
  return { kind: 'stop', wayOut: error.wayOut ?? 'Mend the cause on the source, then restart the flow.' }
}
