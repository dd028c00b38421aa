import type { BrokerId } from '../kafka/cluster.ts'
import type { LeaderBook } from './leader-book.ts'
import type { PartitionFlow } from './partition-flow.ts'
import { type LaneContext, TargetLane } from './target-lane.ts'

/** Sends each partition's batches to the broker that leads it, always over the same connection. */
export class TargetWriter {
  readonly #context: LaneContext
  readonly #leaders: LeaderBook
  readonly #lanes = new Map<BrokerId, TargetLane[]>()
  readonly #laneOf = new Map<PartitionFlow, TargetLane>()
  readonly #leaderless = new Set<PartitionFlow>()
  #dealt = 0

  constructor(context: LaneContext, leaders: LeaderBook) {
    this.#context = context
    this.#leaders = leaders
  }

  /** The partition may have something to send. */
  offer(partition: PartitionFlow): void {
    const lane = this.#laneFor(partition)
    if (lane === undefined) {
      this.#leaderless.add(partition)
      partition.shrink()
      this.#context.refreshLeaders()
    } else lane.offer(partition)
  }

  remove(partition: PartitionFlow): void {
    this.#laneOf.get(partition)?.withdraw(partition)
    this.#laneOf.delete(partition)
    this.#leaderless.delete(partition)
  }

  /** Leaders may have changed: partitions that had none, and those whose lane gets nowhere, go to the new one. */
  follow(): void {
    for (const partition of [...this.#leaderless]) {
      this.#leaderless.delete(partition)
      this.offer(partition)
    }
    for (const partition of [...this.#laneOf.keys()]) if (partition.wantsToSend) this.offer(partition)
  }

  /** Cuts every connection; what is in flight settles as refused. */
  async destroy(): Promise<void> {
    await Promise.all([...this.#lanes.values()].flat().map((lane) => lane.destroy()))
  }

  #laneFor(partition: PartitionFlow): TargetLane | undefined {
    const current = this.#laneOf.get(partition)
    // While batches are in flight the order is kept by staying on their connection; a wrong leader refuses them all.
    if (current !== undefined && partition.window.inFlight > 0) return current
    const leader = this.#leaders.leaderOf(partition.targetTopic, partition.partition)
    if (leader === undefined || current?.broker === leader) return leader === undefined ? undefined : current
    current?.withdraw(partition)
    const lane = this.#deal(leader)
    this.#laneOf.set(partition, lane)
    return lane
  }

  #deal(broker: BrokerId): TargetLane {
    let lanes = this.#lanes.get(broker)
    if (lanes === undefined) {
      lanes = Array.from(
        { length: this.#context.limits.targetLanes },
        () => new TargetLane(broker, this.#context),
      )
      this.#lanes.set(broker, lanes)
    }
    const lane = lanes[this.#dealt++ % lanes.length]
    if (lane === undefined) throw new Error('A flow needs at least one connection to each target broker')
    return lane
  }
}
