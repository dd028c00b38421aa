import type { BrokerId } from '../kafka/cluster.ts'
import type { LeaderBook } from './leader-book.ts'
import type { PartitionFlow } from './partition-flow.ts'
import { SourceLane, type SourceLaneContext } from './source-lane.ts'
import type { TaskSet } from './task-set.ts'

/** Keeps every partition on a lane to the broker that leads it. */
export class SourceReader {
  readonly #context: SourceLaneContext
  readonly #leaders: LeaderBook
  readonly #tasks: TaskSet
  readonly #signal: AbortSignal
  readonly #lanes = new Map<BrokerId, SourceLane[]>()
  readonly #partitions = new Map<PartitionFlow, SourceLane | undefined>()

  constructor(context: SourceLaneContext, leaders: LeaderBook, tasks: TaskSet, signal: AbortSignal) {
    this.#context = context
    this.#leaders = leaders
    this.#tasks = tasks
    this.#signal = signal
  }

  has(partition: PartitionFlow): boolean {
    return this.#partitions.has(partition)
  }

  add(partition: PartitionFlow): void {
    this.#partitions.set(partition, undefined)
    this.#place(partition, undefined)
  }

  remove(partition: PartitionFlow): void {
    this.#partitions.get(partition)?.remove(partition)
    this.#partitions.delete(partition)
  }

  /** The partition may be fetched again. */
  wake(partition: PartitionFlow): void {
    this.#partitions.get(partition)?.wake()
  }

  /** Moves partitions whose leader is another one now. */
  follow(): void {
    for (const [partition, lane] of this.#partitions) this.#place(partition, lane)
  }

  #place(partition: PartitionFlow, current: SourceLane | undefined): void {
    const leader = this.#leaders.leaderOf(partition.place.sourceTopic, partition.partition)
    // Without a leader the last one is asked on: it says when it is no longer the one.
    if (leader === undefined || current?.broker === leader) return
    current?.remove(partition)
    const lane = this.#emptiestLane(leader)
    this.#partitions.set(partition, lane)
    lane.add(partition)
  }

  #emptiestLane(broker: BrokerId): SourceLane {
    let lanes = this.#lanes.get(broker)
    if (lanes === undefined) {
      lanes = []
      this.#lanes.set(broker, lanes)
    }
    const emptiest = lanes.reduce<SourceLane | undefined>(
      (best, lane) => (best === undefined || lane.size < best.size ? lane : best),
      undefined,
    )
    if (emptiest !== undefined && (emptiest.size === 0 || lanes.length >= this.#context.limits.sourceLanes)) {
      return emptiest
    }
    const lane = new SourceLane(broker, this.#context)
    lanes.push(lane)
    this.#tasks.run(() => lane.run(this.#signal))
    return lane
  }
}
