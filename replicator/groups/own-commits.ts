import type { CommittedOffset } from '../kafka/consumer-groups.ts'

/** A partition of a group on one cluster. */
export interface GroupPartition {
  readonly group: string
  readonly topic: string
  readonly partition: number
}

/** A position that is ahead of its echo by more than this many others is not waited for any more. */
const rememberedMax = 16

/**
 * What flows wrote to one cluster's groups. The flow that leads back finds those commits there as if members had made
 * them; following them would undo what the members at home have done since.
 */
export class OwnCommits {
  readonly #written = new Map<string, readonly string[]>()

  /** To be told before the commit is sent: its echo may be faster than its answer. */
  willWrite(at: GroupPartition, commit: Pick<CommittedOffset, 'offset' | 'metadata'>): void {
    const key = keyOf(at)
    const others = (this.#written.get(key) ?? []).filter((known) => known !== textOf(commit))
    this.#written.set(key, [...others, textOf(commit)].slice(-rememberedMax))
  }

  /**
   * Whether a commit is one that was written here. What is older than it is forgotten: logs are read in order. The last
   * one stays, for it is found again whenever somebody asks where the group stands.
   */
  isOwn(at: GroupPartition, commit: Pick<CommittedOffset, 'offset' | 'metadata'>): boolean {
    const key = keyOf(at)
    const known = this.#written.get(key) ?? []
    const index = known.indexOf(textOf(commit))
    if (index < 0) return false
    this.#written.set(key, known.slice(index))
    return true
  }

  /** Members are at work there: from now on every commit is theirs. */
  forget(at: GroupPartition): void {
    this.#written.delete(keyOf(at))
  }
}

const keyOf = ({ group, topic, partition }: GroupPartition): string => `${topic}/${partition}/${group}`

const textOf = ({ offset, metadata }: Pick<CommittedOffset, 'offset' | 'metadata'>): string =>
  `${offset}/${metadata}`
