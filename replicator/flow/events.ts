import type { TopicEvent } from '../topics/events.ts'
import type { FlowId, RegionAlias } from '../topology/model.ts'
import type { ReencodeReason } from './batch-route.ts'

/** What a flow tells those who log and count. */
export type FlowEvent =
  | TopicEvent
  | ({ readonly flow: FlowId } & PartitionEvent)
  | ({ readonly flow: FlowId } & ClusterEvent)

type PartitionEvent = { readonly topic: string; readonly partition: number } & (
  | {
      readonly kind: 'partition-started'
      readonly from: 'progress' | 'earliest' | 'latest'
      readonly sourceNext: bigint
      /** Records that were copied after progress was written last, as the logs say. */
      readonly recovered: number
    }
  | { readonly kind: 'partition-stopped'; readonly reason: string; readonly wayOut: string }
  | { readonly kind: 'partition-waiting'; readonly reason: string; readonly wayOut: string }
  | { readonly kind: 'partition-recovered' }
  /** Said once for each partition and reason; all of them are counted. */
  | { readonly kind: 'partition-reencodes'; readonly reason: ReencodeReason }
  /** Retention will delete records of the source before they are copied, at the present rate. */
  | { readonly kind: 'overrun-near'; readonly inMs: number }
  /** What {@link 'overrun-near'} told is over. */
  | { readonly kind: 'overrun-averted' }
  /** The user allowed this gap; the records in it are gone from the source. */
  | { readonly kind: 'gap-accepted'; readonly fromOffset: bigint; readonly toOffset: bigint }
)

type ClusterEvent =
  | { readonly kind: 'cluster-trouble'; readonly cluster: RegionAlias; readonly reason: string }
  | { readonly kind: 'cluster-recovered'; readonly cluster: RegionAlias }
  | { readonly kind: 'progress-not-written'; readonly reason: string }
  /** Offset maps cannot be read or written. Copying goes on; it is tried again. */
  | { readonly kind: 'maps-trouble'; readonly reason: string }
  | { readonly kind: 'maps-recovered' }
  /** Groups cannot be followed, or not all of them. Copying goes on; it is tried again. */
  | { readonly kind: 'groups-trouble'; readonly reason: string }
  | { readonly kind: 'groups-recovered' }
  /** The source's offsets topic may not be read: its groups are asked where they stand, again and again. */
  | { readonly kind: 'groups-polled'; readonly reason: string }
  /** MirrorMaker 2's topics cannot be written, or not all of them. Copying goes on; it is tried again. */
  | { readonly kind: 'mirror-topics-trouble'; readonly reason: string }
  | { readonly kind: 'mirror-topics-recovered' }
  /** Another process has taken the shard over. It is taken again if it is still this process's to own. */
  | { readonly kind: 'shard-lost'; readonly shard: number }
  /** The flow's replicas do not agree on who owns which shard, as far as this one can see. It tries on. */
  | { readonly kind: 'sharing-trouble'; readonly reason: string }
  | { readonly kind: 'sharing-recovered' }

export type AnnounceFlowEvent = (event: FlowEvent) => void
