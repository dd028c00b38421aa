import type { Checkpoint } from './checkpoint.ts'

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
