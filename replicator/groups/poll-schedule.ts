/** How often groups are asked, in milliseconds. */
export interface PollLimits {
  /** For a group that has just moved. */
  readonly fastestMs: number
  /** How long a group counts as one that moves, in milliseconds. */
  readonly keenMs: number
  /** For one that has not moved for long. */
  readonly slowestMs: number
  /** How many groups are asked about at once, at most: the most overdue ones first. */
  readonly groupsMax: number
}

/** A quarter of the second within which commits are to be followed, so that two answers may be lost. */
export const defaultPollLimits: PollLimits = {
  fastestMs: 250,
  // Consumers commit every five seconds by themselves; those that work on batches may take longer.
  keenMs: 60_000,
  slowestMs: 5_000,
  groupsMax: 2_000,
}

interface Turn {
  readonly dueAtMs: number
  readonly everyMs: number
  readonly movedAtMs: number
}

/**
 * When which group is asked where it stands: often while it moves now and then; after a while without a move half as
 * often again each time. Times
 * are on the monotonic clock.
 */
export class PollSchedule {
  readonly #limits: PollLimits
  readonly #turns = new Map<string, Turn>()

  constructor(limits: PollLimits) {
    this.#limits = limits
  }

  /** The groups there are now: new ones are due at once. */
  setGroups(groups: readonly string[], nowMs: number): void {
    const wanted = new Set(groups)
    for (const group of this.#turns.keys()) if (!wanted.has(group)) this.#turns.delete(group)
    for (const group of wanted) {
      if (!this.#turns.has(group))
        this.#turns.set(group, { dueAtMs: nowMs, everyMs: this.#limits.fastestMs, movedAtMs: nowMs })
    }
  }

  /** The groups whose turn it is. */
  due(nowMs: number): readonly string[] {
    return [...this.#turns]
      .filter(([, { dueAtMs }]) => dueAtMs <= nowMs)
      .sort(([, one], [, other]) => one.dueAtMs - other.dueAtMs)
      .slice(0, this.#limits.groupsMax)
      .map(([group]) => group)
  }

  asked(group: string, hasMoved: boolean, nowMs: number): void {
    const turn = this.#turns.get(group)
    if (turn === undefined) return
    const { fastestMs, keenMs, slowestMs } = this.#limits
    const movedAtMs = hasMoved ? nowMs : turn.movedAtMs
    const everyMs = nowMs - movedAtMs < keenMs ? fastestMs : Math.min(slowestMs, turn.everyMs * 1.5)
    this.#turns.set(group, { dueAtMs: nowMs + everyMs, everyMs, movedAtMs })
  }

  /** When the next turn is, or `undefined` when there are no groups. */
  nextAtMs(): number | undefined {
    let next: number | undefined
    for (const { dueAtMs } of this.#turns.values()) if (next === undefined || dueAtMs < next) next = dueAtMs
    return next
  }
}
