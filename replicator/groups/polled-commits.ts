import type { Clock } from '../clock/clock.ts'
import type { Cluster } from '../kafka/cluster.ts'
import type { GroupOffsetsAnswer } from '../kafka/consumer-groups.ts'
import { isRetriable } from '../kafka/errors.ts'
import { type CommitChange, type CommitSource, KnownCommits } from './commit-source.ts'
import { type PollLimits, PollSchedule } from './poll-schedule.ts'

export interface PolledCommitsOptions {
  readonly cluster: Pick<Cluster, 'listGroups' | 'groupOffsets'>
  readonly clock: Clock
  /** Which groups are wanted. */
  readonly selects: (group: string) => boolean
  readonly limits: PollLimits
  /** How often groups that are new are looked for, in milliseconds. */
  readonly listEveryMs: number
}

/** Asks coordinators where groups stand: for clusters whose offsets topic may not be read. */
export class PolledCommits implements CommitSource {
  readonly #options: PolledCommitsOptions
  readonly #known = new KnownCommits()
  readonly #schedule: PollSchedule

  constructor(options: PolledCommitsOptions) {
    this.#options = options
    this.#schedule = new PollSchedule(options.limits)
  }

  async run(take: (changes: readonly CommitChange[]) => Promise<void>, signal: AbortSignal): Promise<never> {
    const { clock, listEveryMs, limits } = this.#options
    let listAtMs = clock.monotonicMs()
    for (;;) {
      signal.throwIfAborted()
      if (clock.monotonicMs() >= listAtMs) {
        await this.#list(signal)
        listAtMs = clock.monotonicMs() + listEveryMs
      }
      const groups = this.#schedule.due(clock.monotonicMs())
      if (groups.length > 0) {
        const changes = await this.#ask(groups, signal)
        if (changes.length > 0) await take(changes)
      }
      const nextAtMs = Math.min(listAtMs, this.#schedule.nextAtMs() ?? listAtMs)
      // Never without a pause: a cluster that answers at once is not to be asked all the time.
      await clock.sleep(Math.max(limits.fastestMs / 10, nextAtMs - clock.monotonicMs()), signal)
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { cluster, selects, clock } = this.#options
    const listing = await unlessItPasses(() => cluster.listGroups(signal))
    if (listing === undefined) return
    const wanted = listing.groups.flatMap(({ group }) => (selects(group) ? [group] : []))
    // Groups that are gone are asked once more: their commits are gone with them. Silent brokers' are not gone.
    this.#schedule.setGroups([...new Set([...wanted, ...this.#known.groups()])], clock.monotonicMs())
  }

  async #ask(groups: readonly string[], signal: AbortSignal): Promise<readonly CommitChange[]> {
    const { cluster, clock } = this.#options
    const queries = groups.map((group) => ({ group, partitions: 'all' as const }))
    const answers = await unlessItPasses(() =>
      cluster.groupOffsets(queries, { requireStable: false }, signal),
    )
    const nowMs = clock.monotonicMs()
    const changes: CommitChange[] = []
    groups.forEach((group, index) => {
      const answer = answers?.[index]
      const news = answer === undefined ? [] : this.#newsOf(answer)
      changes.push(...news)
      this.#schedule.asked(group, news.length > 0, nowMs)
    })
    return changes
  }

  /** A group, or a partition, that cannot be told about now is asked about again in its next turn. */
  #newsOf({ group, result }: GroupOffsetsAnswer): readonly CommitChange[] {
    if (!result.ok) return []
    const told = new Set<string>()
    const changes: CommitChange[] = []
    for (const { topic, partition, result: committed } of result.value) {
      told.add(`${topic}/${partition}`)
      if (committed.ok) changes.push({ group, topic, partition, commit: committed.value ?? 'removed' })
    }
    for (const { topic, partition } of this.#known.of(group)) {
      if (!told.has(`${topic}/${partition}`)) changes.push({ group, topic, partition, commit: 'removed' })
    }
    return changes.filter((change) => this.#known.isNews(change))
  }
}

/** `undefined` for a failure that passes: the next round asks again. */
async function unlessItPasses<T>(ask: () => Promise<T>): Promise<T | undefined> {
  try {
    return await ask()
  } catch (error) {
    if (!isRetriable(error)) throw error
    return undefined
  }
}
