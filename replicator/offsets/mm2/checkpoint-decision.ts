import type { SourceOffset, TargetOffset } from '../../records/offsets.ts'
import type { Checkpoint } from './checkpoint.ts'
import { checkpointedTopic, type ReplicationPolicy } from './replication-policy.ts'

/** A group's commit on the source with its exact translation. */
export interface TranslatedCommit {
  readonly group: string
  /** The topic on the source. */
  readonly topic: string
  readonly partition: number
  readonly committed: SourceOffset
  readonly translated: TargetOffset
  /** `null` and `undefined`: the commit had none. */
  readonly metadata: string | null | undefined
}

/** What the checkpoint of a commit says, its topic named by the policy. */
export function checkpointOf(
  commit: TranslatedCommit,
  policy: ReplicationPolicy,
  flow: { readonly source: string; readonly target: string },
): Checkpoint {
  return {
    group: commit.group,
    topic: checkpointedTopic(policy, flow, commit.topic),
    partition: commit.partition,
    upstreamOffset: commit.committed,
    downstreamOffset: commit.translated,
    metadata: commit.metadata ?? '',
  }
}

export type CheckpointDecision =
  | {
      readonly kind: 'emit'
      readonly because: 'first' | 'rewound' | 'advanced' | 'committed-on' | 'metadata'
    }
  | { readonly kind: 'withhold'; readonly because: 'unchanged' | 'would-go-back' }

/**
 * Whether to write a checkpoint after the last one of the same group and partition.
 *
 * MirrorMaker 2's rule: the first, after a rewind on the source, and when the target offset advanced; never back
 * otherwise. Written here beyond it: a commit that moved on (over a source gap) or changed its metadata while its
 * translation stayed.
 */
export function decideCheckpoint(last: Checkpoint | undefined, next: Checkpoint): CheckpointDecision {
  if (last === undefined) return { kind: 'emit', because: 'first' }
  if (next.upstreamOffset < last.upstreamOffset) return { kind: 'emit', because: 'rewound' }
  if (next.downstreamOffset > last.downstreamOffset) return { kind: 'emit', because: 'advanced' }
  if (next.downstreamOffset < last.downstreamOffset) return { kind: 'withhold', because: 'would-go-back' }
  if (next.upstreamOffset > last.upstreamOffset) return { kind: 'emit', because: 'committed-on' }
  if (next.metadata !== last.metadata) return { kind: 'emit', because: 'metadata' }
  return { kind: 'withhold', because: 'unchanged' }
}
