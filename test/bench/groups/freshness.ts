/** How long commits take from the source's acknowledgement until the target shows them. Pure. */

/** One partition of one commit. */
export interface FollowedSample {
  /** When the source acknowledged it, and how long after that the target showed it or a later one; never negative. */
  readonly ackedMs: number
  readonly tookMs: number
}

interface Pending {
  readonly offset: number
  readonly ackedMs: number
}

interface Known {
  /** The highest target offset that any commit which was sent stands for. */
  sent: number
  /** The highest that was acknowledged. */
  acked: number
  /** The highest that was seen, and when it was reached. */
  seen: number
  seenAtMs: number
  pending: readonly Pending[]
}

/**
 * Matches commits of groups that only go forward. A commit is told by the offset that it comes to on the target; one
 * that says nothing new, because no record came meanwhile, is no sample.
 */
export class Freshness {
  readonly #known = new Map<string, Known>()
  readonly samples: FollowedSample[] = []
  /** How often the target showed more than had been committed: records that would be skipped. */
  ahead = 0

  /** Before a commit is sent. */
  sending(key: string, offset: number): void {
    const known = this.#of(key)
    known.sent = Math.max(known.sent, offset)
  }

  /** The source acknowledged it. */
  acknowledged(key: string, offset: number, ackedMs: number): void {
    const known = this.#of(key)
    if (offset <= known.acked) return
    known.acked = offset
    // The replicator may be faster than the answer to whoever committed.
    if (known.seen >= offset) this.samples.push({ ackedMs, tookMs: Math.max(0, known.seenAtMs - ackedMs) })
    else known.pending = [...known.pending, { offset, ackedMs }]
  }

  /** The target showed a commit. */
  seen(key: string, offset: number, atMs: number): void {
    const known = this.#of(key)
    if (offset > known.sent) this.ahead++
    if (offset <= known.seen) return
    known.seen = offset
    known.seenAtMs = atMs
    const followed = known.pending.filter((commit) => commit.offset <= offset)
    if (followed.length === 0) return
    known.pending = known.pending.filter((commit) => commit.offset > offset)
    for (const { ackedMs } of followed) this.samples.push({ ackedMs, tookMs: Math.max(0, atMs - ackedMs) })
  }

  /** Commits that were acknowledged and are not on the target. */
  get unseen(): number {
    return [...this.#known.values()].reduce((sum, { pending }) => sum + pending.length, 0)
  }

  /** Partitions of groups of which the target has shown anything. */
  get shown(): number {
    return [...this.#known.values()].filter(({ seen }) => seen >= 0).length
  }

  /** What each partition of each group has to show in the end. */
  get expected(): ReadonlyMap<string, number> {
    return new Map([...this.#known].map(([key, { acked }]) => [key, acked]))
  }

  #of(key: string): Known {
    const known = this.#known.get(key) ?? { sent: -1, acked: -1, seen: -1, seenAtMs: 0, pending: [] }
    this.#known.set(key, known)
    return known
  }
}
