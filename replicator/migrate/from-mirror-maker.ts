import type { FlowOptions } from '../flow/flow-options.ts'
import { openFlow } from '../flow/open-flow.ts'
import { timeLimited } from '../flow/time-limit.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import { positionAfter } from '../offsets/mm2/source-offset.ts'
import { sourceOffset } from '../records/offsets.ts'
import { walkBehindMarker } from '../shards/behind-marker.ts'
import type { Progress } from '../shards/progress-record.ts'
import { CopyFinder, type FoundCopies } from './find-copied.ts'
import {
  type CopyConfigs,
  copyConfigs,
  type FlowPartition,
  flowPartitions,
  namesOf,
  type PartitionNames,
  progressByPlace,
} from './flow-topics.ts'
import { isMirrorMakers, stopOf } from './handed-over.ts'
import { type MirrorMaker, placeName, readStoredOffsets, type StoredOffsets } from './mirror-maker.ts'
import { MigrationRefusedError, type PartitionRefusal, refused } from './refusal.ts'
import { watchForLife } from './signs-of-life.ts'
import { type Decision, type ToTake, TRY_AGAIN, takeShards } from './take-shards.ts'

export interface MigrationRequest {
  readonly mirrorMaker: MirrorMaker
  /** Our replicas' group: none of them may run. */
  readonly replicas: string
  /** Not to be looked whether somebody still runs. */
  readonly assumeStopped: boolean
  /** Shown what would be done, before anything is; `false` ends it there. */
  readonly confirm: (planned: readonly TakenFrom[]) => Promise<boolean>
}

/** What becomes of a partition. */
export type TakenFrom = PartitionNames & TakingOutcome

type TakingOutcome =
  | {
      readonly kind: 'taken'
      /** The source offset that MirrorMaker 2 would go on at; `undefined`: it has stored none. */
      readonly storedNext: bigint | undefined
      /** Records from there on that are on the target already. */
      readonly beyond: number
      /** Where copying goes on. */
      readonly sourceNext: bigint
    }
  /** It has progress of ours, and is left alone. */
  | { readonly kind: 'ours'; readonly sourceNext: bigint }
  /** There is no copy: it begins as the flow says. */
  | { readonly kind: 'not-copied' }
  | PartitionRefusal

/** A million records on each side are held of each. */
const PARTITIONS_AT_ONCE = 4
/** How long a log is waited for, in milliseconds. */
const LOG_TIMEOUT_MS = 120_000

/**
 * Takes a flow over from a MirrorMaker 2 that has ended: finds from its stored offsets and both logs where each
 * partition stands, and writes that as our own progress.
 * @throws MigrationRefusedError when nothing of it can be done; KafkaError
 */
export async function takeFromMirrorMaker(
  options: FlowOptions,
  walks: { readonly source: LogWalks; readonly target: LogWalks },
  request: MigrationRequest,
  signal: AbortSignal,
): Promise<readonly TakenFrom[]> {
  return await new Taking(options, walks, request, signal).run()
}

interface Found {
  readonly at: FlowPartition
  readonly outcome: TakenFrom
  /** Nothing is written of it. */
  readonly isLeftAlone: boolean
  /** Where MirrorMaker 2 would go on. */
  readonly storedNext: bigint | undefined
  /** Where the copy ended when it was looked at; of those that are `taken` or `refused`. */
  readonly targetEnd: bigint
}

class Taking {
  readonly #options: FlowOptions
  readonly #walks: { readonly source: LogWalks; readonly target: LogWalks }
  readonly #request: MigrationRequest
  readonly #signal: AbortSignal

  constructor(
    options: FlowOptions,
    walks: { readonly source: LogWalks; readonly target: LogWalks },
    request: MigrationRequest,
    signal: AbortSignal,
  ) {
    this.#options = options
    this.#walks = walks
    this.#request = request
    this.#signal = signal
  }

  async run(): Promise<readonly TakenFrom[]> {
    const found = await this.#find()
    const planned = found.map(({ outcome }) => outcome)
    if (!(await this.#request.confirm(planned))) return planned
    const wanted = found.flatMap((one) => this.#toTake(one))
    if (wanted.length === 0) return planned
    const memory = await openFlow(
      this.#options,
      this.#walks.target,
      (error) => {
        if (error !== undefined && !error.retriable) throw error
      },
      this.#signal,
    )
    const decisions = await takeShards(this.#options, memory, this.#walks.target, wanted, this.#signal)
    const refusals = new Map([...decisions].map(([{ found: one }, { refusal }]) => [one, refusal]))
    return found.map((one) => {
      const refusal = refusals.get(one)
      return refusal === undefined ? one.outcome : { ...namesOf(one.at), ...refusal }
    })
  }

  async #find(): Promise<readonly Found[]> {
    const { target, clock, random, backoff, flow } = this.#options
    const { mirrorMaker, replicas, assumeStopped } = this.#request
    const partitions = await flowPartitions(this.#options, this.#signal)
    const progress = await progressByPlace(this.#options, this.#walks.target, this.#signal)
    const open = partitions.filter((one) => !isOurs(progress.get(nameOf(one))))
    if (open.length > 0 && !assumeStopped) {
      const copies = flow.naming.kind === 'prefixed' ? open.flatMap(copyOf) : []
      const seen = await watchForLife(
        { target, mirrorMaker, replicas, copies, clock, random, backoff },
        this.#signal,
      )
      if (seen !== undefined) throw new MigrationRefusedError(stillRuns(flow.id, flow.target, seen))
    }
    const stored = await readStoredOffsets(
      mirrorMaker,
      { cluster: target, clock, random, backoff },
      this.#signal,
    )
    if (!stored.isThere && open.some((one) => one.target !== undefined))
      throw new MigrationRefusedError(noOffsetsTopic(mirrorMaker, flow.target))
    const topics = new Set(open.flatMap((one) => (one.target === undefined ? [] : [one.targetTopic])))
    const configs = await copyConfigs(target, [...topics], this.#signal)
    const found: Found[] = []
    for (let from = 0; from < partitions.length; from += PARTITIONS_AT_ONCE) {
      const chunk = partitions.slice(from, from + PARTITIONS_AT_ONCE)
      found.push(
        ...(await Promise.all(
          chunk.map((one) => this.#findOne(one, progress.get(nameOf(one)), stored, configs)),
        )),
      )
    }
    return found
  }

  async #findOne(
    at: FlowPartition,
    progress: Progress | undefined,
    stored: StoredOffsets,
    configs: ReadonlyMap<string, CopyConfigs>,
  ): Promise<Found> {
    const place = namesOf(at)
    const storedNext = positionAfter(stored.byPlace.get(nameOf(at))?.lastCopied)
    if (isOurs(progress)) {
      const { sourceNext } = progress
      const isAhead = storedNext !== undefined && storedNext > sourceNext
      return leftAlone(at, {
        ...place,
        ...(isAhead ? copiedSince(storedNext, sourceNext) : { kind: 'ours', sourceNext }),
      })
    }
    const outcome = await this.#look(at, storedNext, stored, configs.get(at.targetTopic))
    if (outcome === undefined) return leftAlone(at, { ...place, kind: 'not-copied' })
    if (outcome.kind === 'refused') {
      const end = await this.#targetEnd(at)
      const refusal = { ...place, ...outcome }
      return { at, outcome: refusal, isLeftAlone: false, storedNext, targetEnd: end }
    }
    const { sourceNext, beyond, targetEnd } = outcome
    const taken = { kind: 'taken', storedNext, beyond, sourceNext } as const
    return { at, outcome: { ...place, ...taken }, isLeftAlone: false, storedNext, targetEnd }
  }

  async #targetEnd({ target, targetTopic, partition }: FlowPartition): Promise<bigint> {
    if (target === undefined) return 0n
    return (await this.#walks.target.bounds(targetTopic, partition, this.#signal)).end
  }

  /** `undefined`: nothing of it was ever copied. */
  async #look(
    at: FlowPartition,
    storedNext: bigint | undefined,
    stored: StoredOffsets,
    configs: CopyConfigs | undefined,
  ): Promise<FoundCopies | undefined> {
    const { flow, clock } = this.#options
    const { source, partition, targetTopic, target } = at
    if (stored.ambiguous.has(placeName({ topic: source.name, partition })))
      return refused(
        `${this.#request.mirrorMaker.offsetsTopic} holds several offsets of it, of which MirrorMaker 2 takes one by chance`,
        'decide where to go on with causeway flow resume',
      )
    if (target === undefined && storedNext === undefined) return undefined
    if (target === undefined)
      return refused(
        `MirrorMaker 2 has stored that source offset ${storedNext} is next, and there is no copy "${targetTopic}" on ${flow.target}`,
        "see that the flow's naming is MirrorMaker 2's; to copy all of it again, decide so with causeway flow resume --from earliest",
      )
    if (storedNext === undefined && (await this.#targetEnd(at)) === 0n) return undefined
    if (storedNext === undefined && flow.startAt === 'latest')
      return refused(
        'MirrorMaker 2 has stored nothing of it, and began where the source ended then',
        'decide where to go on with causeway flow resume',
      )
    const copied = {
      ...{ sourceTopic: source.name, targetTopic, partition, storedNext },
      targetStamps: configs?.stamps ?? false,
      targetIsCompacted: configs?.isCompacted ?? false,
    }
    const finder = new CopyFinder({ ...this.#options, walks: this.#walks })
    const result = await timeLimited(LOG_TIMEOUT_MS, clock, this.#signal, (limited) =>
      finder.find(copied, limited),
    )
    return result ?? refused(`its logs could not be read within ${LOG_TIMEOUT_MS / 1000} s`, TRY_AGAIN)
  }

  /** Also of what is refused: the next start must not take it for what was never copied. */
  #toTake(one: Found): readonly (ToTake & { readonly found: Found })[] {
    const { at, outcome, isLeftAlone, storedNext = 0n, targetEnd } = one
    const { source, partition, targetTopic, target } = at
    if (target === undefined || isLeftAlone) return []
    const decide: ToTake['decide'] = async ({ progress }, { marker }, signal): Promise<Decision> => {
      if (isOurs(progress))
        return { progress: undefined, refusal: refused('it was taken over meanwhile', TRY_AGAIN) }
      const from = { topic: targetTopic, partition, from: targetEnd }
      const behind = await timeLimited(LOG_TIMEOUT_MS, this.#options.clock, signal, (limited) =>
        walkBehindMarker(this.#walks.target, from, marker, limited),
      )
      if (behind === undefined) return { progress: undefined, refusal: unmarked }
      const start = {
        topicId: source.id,
        targetTopicId: target.id,
        targetNext: behind.targetNext,
        producer: marker,
        sequence: 0,
        rule: this.#options.rule,
      }
      const refusal =
        outcome.kind === 'refused' ? outcome : behind.records > 0 ? disturbed(behind.records) : undefined
      if (refusal === undefined && outcome.kind === 'taken')
        return { progress: { ...start, sourceNext: sourceOffset(outcome.sourceNext) } }
      const why = refusal ?? unmarked
      return { progress: { ...start, sourceNext: sourceOffset(storedNext), stop: stopOf(why) }, refusal: why }
    }
    return [{ found: one, topic: source.name, partition, targetTopic, decide }]
  }
}

const copiedSince = (storedNext: bigint, sourceNext: bigint): PartitionRefusal =>
  refused(
    `MirrorMaker 2 has copied it since Causeway took it over: it has stored that source offset ${storedNext} is next, Causeway goes on at ${sourceNext}`,
    'compare both sides with causeway verify, and decide where to go on with causeway flow resume',
  )
const unmarked = refused('the target has not written the marker that fences it', TRY_AGAIN)
const disturbed = (records: number): PartitionRefusal =>
  refused(
    `${records === 1 ? 'a record' : `${records} records`} came to its copy while it was taken over`,
    'stop whoever writes there, and try again',
  )
const leftAlone = (at: FlowPartition, outcome: TakenFrom): Found => ({
  ...{ at, outcome, isLeftAlone: true },
  ...{ storedNext: undefined, targetEnd: 0n },
})
const nameOf = ({ source, partition }: FlowPartition): string => placeName({ topic: source.name, partition })
const isOurs = (progress: Progress | undefined): progress is Progress =>
  progress !== undefined && !isMirrorMakers(progress)
const copyOf = ({ target, targetTopic: topic, partition }: FlowPartition) =>
  target === undefined ? [] : [{ topic, partition }]

export const stillRuns = (flow: string, target: string, seen: string): string =>
  `${flow} seems to be at work on ${target}: ${seen}. Stop MirrorMaker 2 and every causeway replicate of this flow, on every machine, and try again; or say --assume-stopped if you know better`

const noOffsetsTopic = ({ offsetsTopic }: MirrorMaker, target: string): string =>
  `${target} has no topic "${offsetsTopic}", in which MirrorMaker 2 in its dedicated mode stores how far it copied. On a Connect cluster it is the workers' offset.storage.topic, or the connector's offsets.storage.topic: say it with --offsets-topic`
