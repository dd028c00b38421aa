import type { FlowOptions } from '../flow/flow-options.ts'
import { openFlow } from '../flow/open-flow.ts'
import { timeLimited } from '../flow/time-limit.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import { prepareMirrorTopic } from '../offsets/mm2/prepare-topic.ts'
import { lastCopiedBefore, positionAfter } from '../offsets/mm2/source-offset.ts'
import { type SourceOffsetToStore, writeSourceOffsets } from '../offsets/mm2/source-offsets-topic.ts'
import { sourceOffset } from '../records/offsets.ts'
import type { Progress } from '../shards/progress-record.ts'
import { recoverPartition } from '../shards/recover-partition.ts'
import {
  type CopyConfigs,
  copyConfigs,
  type FlowPartition,
  flowPartitions,
  namesOf,
  type PartitionNames,
  progressByPlace,
} from './flow-topics.ts'
import { stillRuns } from './from-mirror-maker.ts'
import { handedOver, isHandedOver, isMirrorMakers } from './handed-over.ts'
import { type MirrorMaker, placeName, readStoredOffsets, type StoredOffsets } from './mirror-maker.ts'
import { MigrationRefusedError, type PartitionRefusal, refused } from './refusal.ts'
import { watchForLife } from './signs-of-life.ts'
import { type Decision, type ToTake, TRY_AGAIN, takeShards } from './take-shards.ts'

export interface HandOverRequest {
  readonly mirrorMaker: MirrorMaker
  /** Our replicas' group: none of them may run. */
  readonly replicas: string
  /** Not to be looked whether somebody still runs. */
  readonly assumeStopped: boolean
  /** Shown what would be done, before anything is; `false` ends it there. */
  readonly confirm: (planned: readonly HandedOver[]) => Promise<boolean>
}

/** What becomes of a partition. */
export type HandedOver = PartitionNames & HandOverOutcome

type HandOverOutcome =
  | {
      readonly kind: 'handed-over'
      /** The source offset that MirrorMaker 2 goes on at. */
      readonly sourceNext: bigint
      /** What it had stored before; `undefined`: nothing. */
      readonly storedNext: bigint | undefined
    }
  /** It was handed over before, and MirrorMaker 2 stands there or further; or it was never taken over. */
  | { readonly kind: 'mirror-makers'; readonly storedNext: bigint | undefined }
  /** Causeway never copied it: MirrorMaker 2 begins as it is configured, or goes on at what it had stored. */
  | { readonly kind: 'not-copied' }
  | PartitionRefusal

/** How long a log is waited for, in milliseconds. */
const LOG_TIMEOUT_MS = 60_000
/** Connect's `offset.storage.partitions`. */
const OFFSETS_PARTITIONS = 25

/**
 * Gives a flow back to a MirrorMaker 2 that is started afterwards: stops our own progress for good, then stores where
 * MirrorMaker 2 goes on. Killed in between it can be run once more.
 * @throws MigrationRefusedError when nothing of it can be done; KafkaError
 */
export async function handOverToMirrorMaker(
  options: FlowOptions,
  walks: { readonly source: LogWalks; readonly target: LogWalks },
  request: HandOverRequest,
  signal: AbortSignal,
): Promise<readonly HandedOver[]> {
  return await new HandingOver(options, walks, request, signal).run()
}

interface Planned {
  readonly at: FlowPartition
  readonly outcome: HandedOver
}

type TakenPlan = ToTake & { readonly planned: Planned }

class HandingOver {
  readonly #options: FlowOptions
  readonly #walks: { readonly source: LogWalks; readonly target: LogWalks }
  readonly #request: HandOverRequest
  readonly #signal: AbortSignal

  constructor(
    options: FlowOptions,
    walks: { readonly source: LogWalks; readonly target: LogWalks },
    request: HandOverRequest,
    signal: AbortSignal,
  ) {
    this.#options = options
    this.#walks = walks
    this.#request = request
    this.#signal = signal
  }

  async run(): Promise<readonly HandedOver[]> {
    const { planned, stored } = await this.#plan()
    const outcomes = planned.map(({ outcome }) => outcome)
    if (!(await this.#request.confirm(outcomes))) return outcomes
    const open = planned.filter(({ outcome }) => outcome.kind === 'handed-over')
    if (open.length === 0) return outcomes
    const memory = await openFlow(
      this.#options,
      this.#walks.target,
      (error) => {
        if (error !== undefined && !error.retriable) throw error
      },
      this.#signal,
    )
    const topics = [...new Set(open.map(({ at }) => at.targetTopic))]
    const configs = await copyConfigs(this.#options.target, topics, this.#signal)
    const wanted = open.map((one) => this.#toTake(one, configs.get(one.at.targetTopic)))
    const decisions = await takeShards(this.#options, memory, this.#walks.target, wanted, this.#signal)
    const done = new Map([...decisions].map(([{ planned: one }, decision]) => [one, decision]))
    const results = planned.map((one) => resultOf(one.outcome, done.get(one)))
    await this.#store(results, stored)
    return results
  }

  async #plan(): Promise<{ readonly planned: readonly Planned[]; readonly stored: StoredOffsets }> {
    const { target, clock, random, backoff, flow } = this.#options
    const { mirrorMaker, replicas, assumeStopped } = this.#request
    const partitions = await flowPartitions(this.#options, this.#signal)
    if (!assumeStopped) {
      const look = { target, mirrorMaker, replicas, copies: [], clock, random, backoff }
      const seen = await watchForLife(look, this.#signal)
      if (seen !== undefined) throw new MigrationRefusedError(stillRuns(flow.id, flow.target, seen))
    }
    const progress = await progressByPlace(this.#options, this.#walks.target, this.#signal)
    if (progress.size === 0)
      throw new MigrationRefusedError(
        `there is no progress of ${flow.id} on ${flow.target}: it has never run under this name and these regions, so there is nothing to hand over`,
      )
    const log = { cluster: target, clock, random, backoff }
    const stored = await readStoredOffsets(mirrorMaker, log, this.#signal)
    const planned = partitions.map((at) => {
      const names = namesOf(at)
      const name = placeName(names)
      return { at, outcome: { ...names, ...planOf(at, progress.get(name), stored, name) } }
    })
    return { planned, stored }
  }

  #toTake(planned: Planned, configs: CopyConfigs | undefined): TakenPlan {
    const { source, partition, targetTopic, target } = planned.at
    const place = {
      sourceTopic: source.name,
      sourceTopicId: source.id,
      targetTopic,
      targetTopicId: target?.id,
      partition,
      targetStamps: configs?.stamps ?? false,
    }
    return {
      ...{ planned, topic: source.name, partition, targetTopic },
      decide: async (
        { progress, before },
        { marker, formerIds, progressLost },
        signal,
      ): Promise<Decision> => {
        const why = (reason: string, wayOut: string): Decision => ({
          progress: undefined,
          refusal: refused(reason, wayOut),
        })
        if (progress === undefined)
          return why(
            'its progress stands with another shard',
            'start causeway replicate once with this number of shards, stop it, and try again',
          )
        // Of one that was handed over the pair is exact: nobody of ours has written since.
        if (isHandedOver(progress)) return { progress }
        const found = await timeLimited(LOG_TIMEOUT_MS, this.#options.clock, signal, (limited) =>
          recoverPartition(
            { place, progress, before, marker, formerIds, progressLost },
            { ...this.#walks, origins: this.#options.origins },
            limited,
          ),
        )
        if (found === undefined) return why('the logs could not be read in time', TRY_AGAIN)
        if (found.kind === 'refused') return why(found.reason, STOPPED)
        if (found.kind !== 'resume')
          return why('the target has not written the marker that fences it', TRY_AGAIN)
        const { sourceNext, targetNext } = found
        const { topicId, targetTopicId, rule } = progress
        const stopped = {
          topicId,
          targetTopicId,
          sourceNext,
          targetNext,
          producer: marker,
          sequence: 0,
          rule,
        }
        return { progress: { ...stopped, stop: handedOver } }
      },
    }
  }

  /** Where MirrorMaker 2 goes on; from here on nobody of ours does. */
  async #store(results: readonly HandedOver[], stored: StoredOffsets): Promise<void> {
    const { target, clock, random, backoff, flow } = this.#options
    const { connector, source: cluster, offsetsTopic: topic } = this.#request.mirrorMaker
    const toStore = results.flatMap((result): SourceOffsetToStore[] => {
      if (result.kind !== 'handed-over') return []
      const { topic: name, partition, sourceNext } = result
      return [
        {
          connector,
          cluster,
          topic: name,
          partition,
          lastCopied: lastCopiedBefore(sourceOffset(sourceNext)),
        },
      ]
    })
    if (toStore.length === 0) return
    if (!stored.isThere) {
      const { replicationFactor } = flow
      const made = { name: topic, partitions: OFFSETS_PARTITIONS, replicationFactor }
      await prepareMirrorTopic(target, made, this.#signal)
    }
    await writeSourceOffsets({ cluster: target, topic, clock, random, backoff }, toStore, this.#signal)
  }
}

const STOPPED = 'decide where it goes on with causeway flow resume, then try again'

function resultOf(planned: HandedOver, decision: Decision | undefined): HandedOver {
  if (planned.kind !== 'handed-over' || decision === undefined) return planned
  const { progress, refusal } = decision
  const { topic, partition, targetTopic } = planned
  if (refusal !== undefined) return { topic, partition, targetTopic, ...refusal }
  return { ...planned, sourceNext: progress?.sourceNext ?? planned.sourceNext }
}

function planOf(
  { source, target }: FlowPartition,
  progress: Progress | undefined,
  stored: StoredOffsets,
  name: string,
): HandOverOutcome {
  const storedNext = positionAfter(stored.byPlace.get(name)?.lastCopied)
  if (progress === undefined) return { kind: 'not-copied' }
  if (stored.ambiguous.has(name))
    return refused(
      'the topic of stored offsets holds several of it, of which MirrorMaker 2 takes one by chance',
      'delete those with Kafka Connect, or let MirrorMaker 2 use another offset.storage.topic',
    )
  const { stop, sourceNext } = progress
  if (isHandedOver(progress)) {
    if (storedNext !== undefined && storedNext >= sourceNext) return { kind: 'mirror-makers', storedNext }
    return { kind: 'handed-over', sourceNext, storedNext }
  }
  if (isMirrorMakers(progress)) return { kind: 'mirror-makers', storedNext }
  if (stop !== undefined) return refused(`it has stopped: ${stop.reason}`, STOPPED)
  if (
    target === undefined ||
    isOther(progress.targetTopicId, target.id) ||
    isOther(progress.topicId, source.id)
  )
    return refused('the topic was re-created, or its copy was', STOPPED)
  if (storedNext !== undefined && storedNext > sourceNext)
    return refused(
      `MirrorMaker 2 has stored that source offset ${storedNext} is next, beyond our ${sourceNext}: it has copied meanwhile`,
      'compare both sides with causeway verify',
    )
  return { kind: 'handed-over', sourceNext, storedNext }
}

const isOther = (then: string | undefined, now: string | undefined): boolean =>
  then !== undefined && now !== undefined && then !== now
