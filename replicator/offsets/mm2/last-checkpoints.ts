import type { Checkpoint } from './checkpoint.ts'
import { type CheckpointDecision, decideCheckpoint } from './checkpoint-decision.ts'

/**
 * The last checkpoint of each group and partition: filled by reading the topic at the start, and by what is written
 * since. One entry for each group and partition that ever had a checkpoint.
 */
export class LastCheckpoints {
  readonly #last = new Map<string, Checkpoint>()

  get size(): number {
    return this.#last.size
  }

  of(at: Pick<Checkpoint, 'group' | 'topic' | 'partition'>): Checkpoint | undefined {
    return this.#last.get(keyOf(at))
  }

  /** Whether to write a checkpoint; nothing is remembered until it is {@link written}. */
  decide(next: Checkpoint): CheckpointDecision {
    return decideCheckpoint(this.of(next), next)
  }

  /** A checkpoint stands in the topic, behind all others. */
  written(checkpoint: Checkpoint): void {
    this.#last.set(keyOf(checkpoint), checkpoint)
  }
}

/** Neither topics nor numbers have blanks: what follows the second one is the group, whatever it contains. */
function keyOf({ group, topic, partition }: Pick<Checkpoint, 'group' | 'topic' | 'partition'>): string {
  return `${topic} ${partition} ${group}`
}
