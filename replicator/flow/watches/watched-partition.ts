import type { EpochTrail } from '../epoch-trail.ts'
import type { FlowOptions } from '../flow-options.ts'
import type { PartitionFlow } from '../partition-flow.ts'
import type { SourceWatched } from './source-watch.ts'
import type { TargetWatched } from './target-watch.ts'

/** A forwarded partition as its watches see it. */
export class WatchedPartition implements SourceWatched, TargetWatched {
  readonly partition: PartitionFlow
  readonly sourceAt: SourceWatched['sourceAt']
  readonly targetAt: TargetWatched['targetAt']
  readonly #acceptsGap: FlowOptions['acceptsGap']
  /** What these ids wrote lies before the marker that the partition started behind. */
  formerIds: ReadonlySet<bigint> = new Set()

  constructor(partition: PartitionFlow, acceptsGap: FlowOptions['acceptsGap']) {
    const { sourceTopic, sourceTopicId, targetTopic, targetTopicId, partition: index } = partition.place
    this.partition = partition
    this.sourceAt = { topic: sourceTopic, topicId: sourceTopicId, partition: index }
    this.targetAt = { topic: targetTopic, topicId: targetTopicId, partition: index }
    this.#acceptsGap = acceptsGap
  }

  get position(): bigint {
    return this.partition.position
  }

  get followsLogStart(): boolean {
    return this.partition.isFresh || this.#acceptsGap(this.sourceAt.topic, this.sourceAt.partition)
  }

  get epochs(): EpochTrail {
    return this.partition.epochs
  }

  get lastTimestampMs(): number | undefined {
    return this.partition.lastTimestampMs
  }

  get isStopped(): boolean {
    return this.partition.isEnded || this.partition.status.kind === 'stopped'
  }

  get targetNext(): bigint {
    return this.partition.window.acknowledged.targetNext
  }

  get isIdle(): boolean {
    return this.partition.window.isEmpty
  }

  isOurs = (producerId: bigint): boolean =>
    producerId === this.partition.window.producer.producerId || this.formerIds.has(producerId)
}
