import type { LogWalks } from '../logs/log-walks.ts'
import type { ResumePlace } from '../topology/resume-command.ts'
import type { FlowOptions } from './flow-options.ts'
import { type SourceFinding, sourceStop } from './judge-source.ts'
import { type TargetFinding, targetStop } from './judge-target.ts'
import type { PartitionFlow } from './partition-flow.ts'
import type { OverrunForecast } from './snapshot.ts'
import { OverrunWatch } from './watches/overrun-watch.ts'
import type { Overrun } from './watches/retention-forecast.ts'
import { ShardWatch, type WatchedShard } from './watches/shard-watch.ts'
import { SourceWatch } from './watches/source-watch.ts'
import { TargetWatch } from './watches/target-watch.ts'
import { WatchedPartition } from './watches/watched-partition.ts'

export interface FlowWatchesContext {
  readonly options: FlowOptions
  readonly sourceWalks: LogWalks
  readonly targetWalks: LogWalks
  readonly partitions: () => readonly PartitionFlow[]
  readonly shards: () => readonly WatchedShard[]
  /** Somebody else has written to the shard's progress: it may have been taken over. */
  readonly onDoubt: (shard: number) => void
}

/** Everything that looks after a flow's logs while they are not written or read: stops partitions that must not go on. */
export class FlowWatches {
  readonly #context: FlowWatchesContext
  readonly #watched = new WeakMap<PartitionFlow, WatchedPartition>()
  readonly #overruns: OverrunWatch<WatchedPartition>
  readonly #source: SourceWatch<WatchedPartition>
  readonly #target: TargetWatch<WatchedPartition>
  readonly #shards: ShardWatch

  constructor(context: FlowWatchesContext) {
    this.#context = context
    const { options, sourceWalks, targetWalks, shards, onDoubt } = context
    const { source, target, clock, flow, progressTopic } = options
    const { watchIntervalMs: intervalMs } = options.limits
    const partitions = (): readonly WatchedPartition[] =>
      context.partitions().map((partition) => this.#watch(partition))
    this.#overruns = new OverrunWatch({
      source,
      clock,
      walks: sourceWalks,
      onNear: ({ partition }, overrun) => this.#tellOverrun(partition, overrun),
    })
    this.#source = new SourceWatch({
      source,
      clock,
      intervalMs,
      partitions,
      overruns: this.#overruns,
      onFinding: ({ partition }, finding) => this.#sourceFound(partition, finding),
    })
    this.#target = new TargetWatch({
      target,
      clock,
      walks: targetWalks,
      intervalMs,
      exclusive: options.exclusiveTarget ?? flow.naming.kind !== 'identity',
      partitions,
      onFinding: ({ partition }, finding) => this.#targetFound(partition, finding),
    })
    this.#shards = new ShardWatch({
      target,
      clock,
      walks: targetWalks,
      intervalMs,
      progressTopic,
      shards,
      onDoubt,
    })
  }

  /** Looks until the signal aborts, then returns. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#source.run(signal), this.#target.run(signal), this.#shards.run(signal)])
  }

  /** Offsets of the target that somebody else has taken, or a former self: `formerIds` are those it wrote with. */
  targetGap(partition: PartitionFlow, from: bigint, to: bigint, formerIds?: ReadonlySet<bigint>): void {
    const watched = this.#watch(partition)
    if (formerIds !== undefined) watched.formerIds = formerIds
    this.#target.gap(watched, from, to)
  }

  /** How often both sides were looked at. */
  get looks(): number {
    return Math.min(this.#source.looks, this.#target.looks)
  }

  /** The partition that the source's retention reaches first, at the present rate. */
  get overrun(): OverrunForecast | undefined {
    const { nearest } = this.#overruns
    if (nearest === undefined) return undefined
    const { place } = nearest.partition.partition
    return { topic: place.sourceTopic, partition: place.partition, inMs: Math.round(nearest.inMs) }
  }

  #watch(partition: PartitionFlow): WatchedPartition {
    const known = this.#watched.get(partition)
    if (known !== undefined) return known
    const made = new WatchedPartition(partition, this.#context.options.acceptsGap)
    this.#watched.set(partition, made)
    return made
  }

  #sourceFound(partition: PartitionFlow, finding: SourceFinding): void {
    const { reason, wayOut } = sourceStop(finding, this.#placeOf(partition))
    // What was read before a gap still goes out, and a restart may be told to accept it. The others are no gaps.
    if (finding.kind === 'overrun') partition.stopReading(reason, wayOut)
    else if (finding.kind === 'truncated') partition.stopForGood(reason, wayOut)
    else partition.stop(reason, wayOut)
  }

  #targetFound(partition: PartitionFlow, finding: TargetFinding): void {
    const { reason, wayOut } = targetStop(finding, this.#placeOf(partition), partition.targetTopic)
    // Ids tell a re-created topic again after a restart.
    if (finding.kind === 're-created') partition.stop(reason, wayOut)
    else partition.stopForGood(reason, wayOut)
  }

  #tellOverrun(partition: PartitionFlow, overrun: Overrun | undefined): void {
    const { announce } = this.#context.options
    const place = this.#placeOf(partition)
    if (overrun === undefined) announce({ ...place, kind: 'overrun-averted' })
    else announce({ ...place, kind: 'overrun-near', inMs: Math.round(overrun.inMs) })
  }

  #placeOf({ place }: PartitionFlow): ResumePlace & { readonly partition: number } {
    return { flow: this.#context.options.flow.id, topic: place.sourceTopic, partition: place.partition }
  }
}
