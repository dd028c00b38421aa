import { KafkaError } from '../kafka/errors.ts'
import type { Checkpoint } from '../offsets/mm2/checkpoint.ts'
import { LastCheckpoints } from '../offsets/mm2/last-checkpoints.ts'
import type { TargetOffset } from '../records/offsets.ts'
import type { MirrorWriter } from './mirror-writer.ts'

const OFFSET_OUT_OF_RANGE = 1

/** A flow's checkpoints topic, and what was said in it last. */
export class CheckpointBook {
  readonly #writer: MirrorWriter<Checkpoint>
  #last = new LastCheckpoints()
  #readTo = 0n
  #timesMade = 0

  constructor(writer: MirrorWriter<Checkpoint>) {
    this.#writer = writer
  }

  /** Reads what others wrote. @throws KafkaError; the signal's reason */
  async learn(signal: AbortSignal): Promise<void> {
    try {
      this.#readTo = await this.#writer.read((entry) => this.#last.written(entry), this.#readTo, signal)
    } catch (error) {
      if (!(error instanceof KafkaError) || error.code !== OFFSET_OUT_OF_RANGE) throw error
      // The topic began anew.
      this.#last = new LastCheckpoints()
      this.#readTo = await this.#writer.read((entry) => this.#last.written(entry), 0n, signal)
    }
  }

  /**
   * Whether to write a checkpoint.
   * @param copiedTo where copying got to on the target: what points above it is of a topic that is gone
   */
  wants(next: Checkpoint, copiedTo: TargetOffset): boolean {
    const last = this.#last.of(next)?.downstreamOffset
    if (last !== undefined && last > copiedTo && last > next.downstreamOffset) return true
    return this.#last.decide(next).kind === 'emit'
  }

  /** @throws KafkaError; RangeError for what the format cannot carry; the signal's reason */
  async write(checkpoints: readonly Checkpoint[], signal: AbortSignal): Promise<void> {
    await this.#writer.append(checkpoints, signal)
    const { timesMade } = this.#writer
    if (timesMade !== this.#timesMade) {
      // The topic was deleted: everything else is to be said again.
      this.#timesMade = timesMade
      this.#last = new LastCheckpoints()
      this.#readTo = 0n
    }
    for (const checkpoint of checkpoints) this.#last.written(checkpoint)
  }
}
