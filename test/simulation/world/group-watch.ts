import type { TopicPartition } from '../../../replicator/kafka/cluster.ts'
import type { CommittedOffset, GroupOffsetCommit } from '../../../replicator/kafka/consumer-groups.ts'
import { isControl } from '../../../replicator/records/batch-header.ts'
import type { StoredBatch } from '../partition-log.ts'
import { readRecords } from '../record-batches.ts'
import type { SimulatedBrokers } from '../simulated-brokers.ts'
import type { Committer } from '../simulated-offsets.ts'
import type { CopiedPair, CopyChecker } from './copy-checker.ts'
import { firstAbove } from './map-checker.ts'
import type { Side } from './plan.ts'
import type { Trace } from './trace.ts'
import { Violation } from './violation.ts'

export interface GroupScene {
  readonly brokers: Readonly<Record<Side, SimulatedBrokers>>
  readonly targetPrefix: string
  /** Reads what was written by now. @throws Violation */
  readonly look: () => void
  readonly copyOf: (topic: string, partition: number) => CopyChecker
  readonly trace: Trace
  /** Where the map of a running partition begins on the source, by `topic/partition`. */
  readonly mapStarts: () => ReadonlyMap<string, bigint>
}

interface Stand {
  readonly offset: bigint
  readonly by: 'flow' | 'target'
  /** How many decisions had been made when the flow first asked where the group stands, and was told this. */
  knownFrom: number | undefined
}

interface Decision {
  readonly position: bigint
  readonly offset: bigint
  readonly metadata: string
}

/** A partition of a group, and all that happened to it. */
interface Watched extends TopicPartition {
  readonly group: string
  /** What was committed on the source. */
  readonly positions: bigint[]
  /** The last commit there, if there is one still. */
  isRemoved: boolean
  metadata: string
  /** What the flow wrote down before it committed. */
  readonly decisions: Decision[]
  stands: Stand | undefined
}

/** Judges what the flow commits for groups by what was committed on the source, and by what was copied. */
export class GroupWatch {
  readonly #scene: GroupScene
  readonly #watched = new Map<string, Watched>()
  /** Groups that members, or consumers of their own, had on the target. */
  readonly #ofTarget = new Set<string>()
  /** Commits of the flow's that were judged. */
  commits = 0
  violation: Violation | undefined

  constructor(scene: GroupScene) {
    this.#scene = scene
    const { source, target } = scene.brokers
    source.offsets.watch({
      committed: (group, commit, by) => this.#onSource(group, commit, by),
      expired: (group, at) => this.removed(group, at),
      fetched: () => {},
    })
    target.offsets.watch({
      committed: (group, commit, by) => this.#onTarget(group, commit, by),
      expired: (group, { topic, partition }) => {
        this.#of(group, { topic: this.#sourceOf(topic), partition }).stands = undefined
      },
      fetched: (group, { topic, partition }) => {
        const { stands, decisions } = this.#of(group, { topic: this.#sourceOf(topic), partition })
        this.#lookNow()
        if (stands !== undefined) stands.knownFrom ??= decisions.length
      },
    })
  }

  joined(group: string): void {
    this.#ofTarget.add(group)
  }

  removed(group: string, at: TopicPartition): void {
    this.#of(group, at).isRemoved = true
  }

  /** A batch appeared in a partition of the topic that the flow writes its commits to before it makes them. */
  saw(_: string, { bytes }: StoredBatch): void {
    if (isControl(bytes, 0)) return
    for (const { key, value } of readRecords(bytes)) {
      if (value === null) continue
      const { group, topic, partition } = JSON.parse(String(key)) as TopicPartition & { group: string }
      const { commits } = JSON.parse(String(value)) as { commits: Record<string, string>[] }
      const last = commits.at(-1)
      if (last === undefined) continue
      const { metadata = '' } = last
      this.#decided(this.#of(group, { topic, partition }), {
        position: BigInt(last.position ?? -1),
        offset: BigInt(last.offset ?? -1),
        metadata,
      })
    }
  }

  /** A group that does not stand where it should, now that everything is quiet. */
  unfinished(isExpected: (place: string) => boolean): string | undefined {
    const starts = this.#scene.mapStarts()
    for (const watched of this.#watched.values()) {
      const { group, topic, partition, positions, isRemoved, metadata } = watched
      const place = `${topic}/${partition}`
      const position = positions.at(-1)
      if (position === undefined || isRemoved || this.#ofTarget.has(group) || !isExpected(place)) continue
      const stands = this.#standsOf(watched)
      const where = `${nameOf(watched)}: source position ${position} "${metadata}"`
      if (stands === undefined) return `${where}: nothing is committed on the target`
      if (stands.metadata !== metadata) return `${where}: the target has "${stands.metadata}"`
      const copy = this.#scene.copyOf(topic, partition)
      const pairs = firmOf(copy)
      const [reached, wanted] = [
        firstAbove(pairs, 'target', stands.offset),
        firstAbove(pairs, 'source', position),
      ]
      const isCertain = copy.isWhole && position >= (starts.get(place) ?? 0n)
      if (reached > wanted || (reached < wanted && isCertain))
        return `${where}: it stands at ${stands.offset}, ${wanted - reached} records too low`
    }
    return undefined
  }

  #sourceOf(copy: string): string {
    return copy.slice(this.#scene.targetPrefix.length)
  }

  #standsOf({ group, topic, partition }: Watched): CommittedOffset | undefined {
    const { brokers, targetPrefix } = this.#scene
    return brokers.target.offsets.committed(group, { topic: `${targetPrefix}${topic}`, partition })
  }

  #onSource(group: string, { topic, partition, offset, metadata }: GroupOffsetCommit, by: Committer): void {
    const watched = this.#of(group, { topic, partition })
    if (by === 'nobody') this.#fail(`${nameOf(watched)}: the flow committed ${offset} on the source`)
    watched.positions.push(offset)
    watched.isRemoved = false
    watched.metadata = metadata
    this.#scene.trace.note(`${nameOf(watched)} commits ${offset} "${metadata}"`)
  }

  #onTarget(group: string, { topic, partition, offset, metadata }: GroupOffsetCommit, by: Committer): void {
    const watched = this.#of(group, { topic: this.#sourceOf(topic), partition })
    const before = watched.stands
    watched.stands = { offset, by: by === 'nobody' ? 'flow' : 'target', knownFrom: undefined }
    this.#scene.trace.note(
      `${nameOf(watched)} on the target: ${offset} "${metadata}" by ${watched.stands.by}`,
    )
    if (by !== 'nobody') {
      this.#ofTarget.add(group)
      return
    }
    this.commits += 1
    this.#lookNow()
    const decision = watched.decisions.findLastIndex(
      (known) => known.offset === offset && known.metadata === metadata,
    )
    const where = `${nameOf(watched)}: ${offset} "${metadata}" was committed`
    if (decision < 0) this.#fail(`${where} and not written down before`)
    else if (before?.by === 'target' && before.knownFrom !== undefined && decision >= before.knownFrom)
      this.#fail(`${where} over ${before.offset} of the target's own`)
  }

  #decided(watched: Watched, decision: Decision): void {
    const { position, offset } = decision
    const where = `${nameOf(watched)}: ${offset} is about to be committed for source position ${position}`
    const { positions, decisions } = watched
    if (!positions.includes(position)) throw new Violation('groups', `${where}, which nobody committed`)
    const pairs = firmOf(this.#scene.copyOf(watched.topic, watched.partition))
    const skipped = pairs[firstAbove(pairs, 'source', position)]
    if (skipped !== undefined && skipped.target < offset)
      throw new Violation('groups', `${where}, but ${skipped.source} -> ${skipped.target} would be skipped`)
    const before = decisions.at(-1)
    decisions.push(decision)
    if (before === undefined || offset >= before.offset) return
    if (positions.lastIndexOf(position) > positions.indexOf(before.position) && position < before.position)
      return
    throw new Violation('groups', `${where} after ${before.offset} for ${before.position}: it goes back`)
  }

  /** What was written down in this very moment counts. */
  #lookNow(): void {
    try {
      this.#scene.look()
    } catch (error) {
      if (!(error instanceof Violation)) throw error
      this.violation ??= error
    }
  }

  /** Within a broker nobody catches it: the world looks for it. */
  #fail(why: string): void {
    this.violation ??= new Violation('groups', why)
  }

  #of(group: string, { topic, partition }: TopicPartition): Watched {
    const key = `${group}/${topic}/${partition}`
    let watched = this.#watched.get(key)
    if (watched === undefined) {
      watched = {
        group,
        topic,
        partition,
        positions: [],
        isRemoved: false,
        metadata: '',
        decisions: [],
        stands: undefined,
      }
      this.#watched.set(key, watched)
    }
    return watched
  }
}

const nameOf = ({ group, topic, partition }: Watched): string => `${group} in ${topic}/${partition}`

const firmOf = ({ pairs }: CopyChecker): readonly CopiedPair[] =>
  pairs.filter(({ record }) => !record.isVague)
