import type { KafkaError } from '../kafka/errors.ts'

/** What a partition's failed fetch asks for. */
export type FetchVerdict =
  | { readonly kind: 'retry' }
  /** The position is not in the source's log (any more). */
  | { readonly kind: 'out-of-range' }
  | { readonly kind: 'wait'; readonly wayOut: string }
  | { readonly kind: 'stop'; readonly wayOut: string }

const code = {
  offsetOutOfRange: 1,
  topicAuthorizationFailed: 29,
  unknownTopicId: 100,
  inconsistentTopicId: 103,
} as const

/** Decides by the error alone. */
export function fetchVerdict(error: KafkaError): FetchVerdict {
  if (error.code === code.offsetOutOfRange) return { kind: 'out-of-range' }
  if (error.code === code.topicAuthorizationFailed) {
    return { kind: 'wait', wayOut: error.wayOut ?? 'Grant the replicator READ on the source topic.' }
  }
  // Topic ids travel through the cluster; a topic that was really re-created is reported by discovery.
  if (error.code === code.unknownTopicId || error.code === code.inconsistentTopicId) return { kind: 'retry' }
  if (error.retriable) return { kind: 'retry' }
  return { kind: 'stop', wayOut: error.wayOut ?? 'Mend the cause on the source, then restart the flow.' }
}
