import type { TopicMetadata } from '../kafka/cluster.ts'

/** A source topic and the target topic that takes its records, both there and ready. */
export interface TopicPair {
  readonly source: TopicMetadata
  readonly target: TopicMetadata
  /** Selected partitions that exist on both sides and had a leader on the target when first reported; ascending. */
  readonly partitions: readonly number[]
  /** Every selected partition is paused. */
  readonly paused: boolean
  /** The selected partitions that a `paused` selection of the flow covers; ascending. */
  readonly pausedPartitions: readonly number[]
  /** `later`: the topic was not there in the first round, so all of it is new and is read from its beginning. */
  readonly appeared: 'at-start' | 'later'
  /** Selected partitions that came after the first round; they are read from their beginning. Ascending. */
  readonly laterPartitions: readonly number[]
}

/** Something of a topic that is not replicated, why, and what to do about it. */
export interface TopicProblem {
  /** The source topic; for a selection that matches nothing, its name or expression. */
  readonly topic: string
  /** `undefined`: the whole topic. */
  readonly partition: number | undefined
  readonly reason: string
  /** What the user can do. */
  readonly wayOut: string
}

/** What one look at both clusters found. */
export interface DiscoveryRound {
  /** Rounds that succeeded so far: 0 means that nothing is known yet, however empty `pairs` is. */
  readonly completed: number
  readonly pairs: readonly TopicPair[]
  readonly problems: readonly TopicProblem[]
  /** Why the latest look failed; `pairs` and `problems` are then those of the last one that succeeded. */
  readonly trouble: string | undefined
}

/** What a flow's topology says about topics, as functions, so that this room needs none of the matching. */
export interface TopicRules {
  /** The partitions of a source topic that the flow takes, or `undefined` when it does not take the topic. */
  select(topic: string): PartitionPredicate | undefined
  /** The partitions of a source topic whose forwarding is paused, or `undefined` when none is. */
  paused(topic: string): PartitionPredicate | undefined
  targetNameOf(topic: string): string
  /** The flow's selections one by one, to tell which of them match nothing. */
  readonly selections: readonly SelectionRule[]
}

export type PartitionPredicate = (partition: number) => boolean

export type SelectionRule =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'match'; readonly match: string; matches(topic: string): boolean }
