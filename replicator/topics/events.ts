import type { TopicAcl } from '../kafka/acl-binding.ts'
import type { TopicConfigChange } from '../kafka/cluster.ts'
import type { FlowId, RegionAlias } from '../topology/model.ts'
import type { AclNote } from './acl-plan.ts'
import type { TopicProblem } from './topic-pair.ts'

/** What topic sync tells those who log and count. Each is announced when it happens, not in every round. */
export type TopicEvent = { readonly flow: FlowId } & TopicEventBody

export type TopicEventBody =
  | {
      readonly kind: 'target-topic-created'
      readonly topic: string
      readonly targetTopic: string
      readonly partitions: number
    }
  | {
      readonly kind: 'target-topic-grown'
      readonly topic: string
      readonly targetTopic: string
      readonly from: number
      readonly to: number
    }
  /** Records keep their partition number, so this works; but keys hash differently for producers on the target. */
  | {
      readonly kind: 'target-topic-wider'
      readonly topic: string
      readonly targetTopic: string
      readonly sourcePartitions: number
      readonly targetPartitions: number
    }
  /** Deleted on the source. The copy stays. */
  | { readonly kind: 'source-topic-gone'; readonly topic: string; readonly targetTopic: string }
  | { readonly kind: 'problem-appeared'; readonly problem: TopicProblem }
  | { readonly kind: 'problem-cleared'; readonly problem: TopicProblem }
  | {
      readonly kind: 'configs-changed'
      readonly topic: string
      readonly targetTopic: string
      readonly changes: readonly TopicConfigChange[]
    }
  /** The copy goes on with the configs it has; tried again at each config interval. */
  | {
      readonly kind: 'configs-refused'
      readonly topic: string
      readonly targetTopic: string
      readonly reason: string
      readonly wayOut: string
    }
  /** The source topic sets configs that the target's version does not have. */
  | {
      readonly kind: 'configs-unknown'
      readonly topic: string
      readonly targetTopic: string
      readonly names: readonly string[]
    }
  | {
      readonly kind: 'acls-changed'
      readonly added: readonly TopicAcl[]
      readonly removed: readonly TopicAcl[]
    }
  /** What a flow that only reports would have changed. */
  | {
      readonly kind: 'acls-would-change'
      readonly added: readonly TopicAcl[]
      readonly removed: readonly TopicAcl[]
    }
  /** Rules of the source that the target has not, or not as they are; each is told once while it stands. */
  | { readonly kind: 'acls-not-carried'; readonly notes: readonly AclNote[] }
  /** Tried again at each interval. */
  | {
      readonly kind: 'acls-refused'
      readonly cluster: RegionAlias
      readonly reason: string
      readonly wayOut: string
    }
  /** A whole look at the topics, configs or ACLs failed; it is done again after its interval. */
  | { readonly kind: 'look-failed'; readonly what: Looked; readonly reason: string }
  | { readonly kind: 'look-recovered'; readonly what: Looked }

export type Looked = 'topics' | 'configs' | 'ACLs'

export type AnnounceTopicEvent = (event: TopicEvent) => void
