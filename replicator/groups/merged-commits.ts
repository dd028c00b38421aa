import type { Clock } from '../clock/clock.ts'
import { abortable } from '../kafka/abortable.ts'
import type { ConsumerGroups, GroupCommitOutcome, GroupOffsetCommit } from '../kafka/consumer-groups.ts'

/** How long the first commit of a group waits for those of other shards, in milliseconds. */
const GATHER_MS = 25

interface Gathering {
  readonly commits: GroupOffsetCommit[]
  readonly outcome: Promise<GroupCommitOutcome>
}

/**
 * One OffsetCommit for all shards' partitions of a group: coordinators take some hundreds of requests a second, however
 * much is in each.
 */
export class MergedCommits implements Pick<ConsumerGroups, 'commitGroupOffsets'> {
  readonly #target: Pick<ConsumerGroups, 'commitGroupOffsets'>
  readonly #clock: Clock
  readonly #gathering = new Map<string, Gathering>()
  readonly #stop = new AbortController()

  constructor(target: Pick<ConsumerGroups, 'commitGroupOffsets'>, clock: Clock) {
    this.#target = target
    this.#clock = clock
  }

  /** As the cluster's own. What was sent is not taken back by the signal. */
  async commitGroupOffsets(
    group: string,
    commits: readonly GroupOffsetCommit[],
    signal: AbortSignal = this.#stop.signal,
  ): Promise<GroupCommitOutcome> {
    const gathering = this.#gathering.get(group) ?? this.#gather(group)
    const first = gathering.commits.length
    gathering.commits.push(...commits)
    const outcome = await abortable(gathering.outcome, signal)
    if (outcome.kind === 'group-is-used') return outcome
    return { kind: 'answered', partitions: outcome.partitions.slice(first, first + commits.length) }
  }

  close(): void {
    this.#stop.abort(new Error('commits are not made any more'))
  }

  #gather(group: string): Gathering {
    const commits: GroupOffsetCommit[] = []
    const send = async (): Promise<GroupCommitOutcome> => {
      const { signal } = this.#stop
      try {
        await this.#clock.sleep(GATHER_MS, signal)
      } finally {
        this.#gathering.delete(group)
      }
      return await this.#target.commitGroupOffsets(group, commits, signal)
    }
    const outcome = send()
    outcome.catch(() => {})
    const gathering = { commits, outcome }
    this.#gathering.set(group, gathering)
    return gathering
  }
}
