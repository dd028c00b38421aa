import type { Clock } from '../clock/clock.ts'
import type { Heartbeat } from '../offsets/mm2/heartbeat.ts'
import { heartbeatDueInMs } from '../offsets/mm2/heartbeat-due.ts'
import type { MirrorPart } from './mirror-part.ts'
import type { MirrorWriter } from './mirror-writer.ts'

/** MirrorMaker 2 allows an interval of 0; nobody reads heartbeats that fast. In milliseconds. */
const INTERVAL_MIN_MS = 100

export interface FlowHeartbeatsOptions {
  /** Of the pair that the heartbeats are of. */
  readonly source: string
  readonly target: string
  readonly intervalMs: number
  /** On the pair's target. */
  readonly writer: Pick<MirrorWriter<Heartbeat>, 'append'>
  readonly clock: Clock
}

/** The signs of life of a pair of clusters: written by whoever owns a flow's first shard. */
export class FlowHeartbeats implements MirrorPart {
  readonly #options: FlowHeartbeatsOptions
  readonly #intervalMs: number
  #lastMs: number | undefined

  constructor(options: FlowHeartbeatsOptions) {
    this.#options = options
    this.#intervalMs = Math.max(INTERVAL_MIN_MS, options.intervalMs)
  }

  get everyMs(): number {
    return heartbeatDueInMs(this.#lastMs, this.#options.clock.monotonicMs(), this.#intervalMs)
  }

  async turn(signal: AbortSignal): Promise<void> {
    const { source, target, writer, clock } = this.#options
    this.#lastMs = clock.monotonicMs()
    await writer.append([{ source, target, timestampMs: BigInt(Math.floor(clock.wallMs())) }], signal)
  }

  async finish(): Promise<void> {}

  close(): void {}
}
