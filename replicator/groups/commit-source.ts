import type { CommittedOffset } from '../kafka/consumer-groups.ts'
import type { GroupPartition } from './own-commits.ts'

/** What a partition of a group came to: its newest commit, or none any more. */
export interface CommitChange extends GroupPartition {
  readonly commit: CommittedOffset | 'removed'
}

/**
 * Where a cluster's commits come from.
 *
 * First come the commits that there are, then what changes. Of each partition of a group changes come in the
 * coordinator's order, none twice and none from before an earlier one; commits that were soon replaced may be left
 * out. Commits of a transaction count from when it is committed.
 */
export interface CommitSource {
  /**
   * Gives changes until the signal aborts; the next ones wait until `take` has settled.
   * @throws the signal's reason; KafkaError when the source cannot be read; what `take` throws
   */
  run(take: (changes: readonly CommitChange[]) => Promise<void>, signal: AbortSignal): Promise<never>
}

/** What is known of each partition of each group, to tell news from repetition. */
export class KnownCommits {
  readonly #known = new Map<string, Map<string, CommitChange>>()

  /** Whether the change says anything new; remembers it then. */
  isNews(change: CommitChange): boolean {
    const ofGroup = this.#known.get(change.group) ?? new Map<string, CommitChange>()
    const key = `${change.topic}/${change.partition}`
    const before = ofGroup.get(key)
    if (change.commit === 'removed') {
      ofGroup.delete(key)
      if (ofGroup.size === 0) this.#known.delete(change.group)
      return before !== undefined
    }
    if (before !== undefined && before.commit !== 'removed' && isSame(before.commit, change.commit))
      return false
    ofGroup.set(key, change)
    this.#known.set(change.group, ofGroup)
    return true
  }

  groups(): readonly string[] {
    return [...this.#known.keys()]
  }

  of(group: string): readonly CommitChange[] {
    return [...(this.#known.get(group)?.values() ?? [])]
  }
}

const isSame = (one: CommittedOffset, other: CommittedOffset): boolean =>
  one.offset === other.offset && one.metadata === other.metadata && one.leaderEpoch === other.leaderEpoch
