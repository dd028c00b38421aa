/** Why a partition does not move. `stopped` is final until the flow restarts; the others end by themselves. */
export type PartitionStatus =
  | { readonly kind: 'running' }
  | { readonly kind: 'paused' }
  | { readonly kind: 'waiting'; readonly reason: string; readonly wayOut: string }
  | { readonly kind: 'stopped'; readonly reason: string; readonly wayOut: string }

/** Which cluster holds a partition up. */
export type Side = 'source' | 'target'

/** What the target topic's configs mean for batches. */
export interface TargetTopicRules {
  /** `max.message.bytes`. */
  readonly batchBytesMax: number
  /** `message.timestamp.type=LogAppendTime`. */
  readonly stamps: boolean
}

export interface PartitionPlace {
  readonly sourceTopic: string
  readonly sourceTopicId: string | undefined
  readonly targetTopic: string
  readonly targetTopicId: string | undefined
  readonly partition: number
}
