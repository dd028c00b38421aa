import type { Clock } from '../clock/clock.ts'
import type { ShardCompanion } from '../flow/shard-companion.ts'
import { timeLimited } from '../flow/time-limit.ts'
import { abortable } from '../kafka/abortable.ts'
import { KafkaError } from '../kafka/errors.ts'
import { OneAtATime } from '../kafka/one-at-a-time.ts'
import type { MirrorPart } from './mirror-part.ts'

/** Takeovers, and the offset maps without which there is nothing to say, come first. In milliseconds. */
const FIRST_AFTER_MS = 2_500
/** After something failed, in milliseconds. */
const RETRY_MS = 10_000
/** Whoever gets the shard waits: what cannot be said by then is said there. In milliseconds. */
const FINISH_MS_MAX = 1_000

export interface ShardMirrorOptions {
  /** What goes by the shard's partitions. */
  readonly parts: readonly MirrorPart[]
  /** What has to be done for the flow, by whoever holds the shard. */
  readonly ofFlow: readonly MirrorPart[]
  readonly clock: Clock
  /** Rejects when what the parts go by failed by a fault of its own. */
  readonly failed: Promise<never>
  /** Told what keeps MirrorMaker 2's topics from being written, and `undefined` when nothing does any more. */
  readonly onTrouble: (reason: string | undefined) => void
}

interface Keeper {
  readonly part: MirrorPart
  readonly turns: OneAtATime
}

/**
 * MirrorMaker 2's topics, as far as a shard has to do with them. Nothing waits for them: what cannot be written is tried
 * again. Nor are they fenced: what a former owner adds late is an older truth, until the next entry.
 */
export class ShardMirror implements ShardCompanion {
  readonly #options: ShardMirrorOptions
  readonly #keepers: readonly Keeper[]
  readonly #ofFlow: readonly Keeper[]
  readonly #troubles = new Map<MirrorPart, string>()

  constructor(options: ShardMirrorOptions) {
    this.#options = options
    this.#keepers = options.parts.map((part) => ({ part, turns: new OneAtATime() }))
    this.#ofFlow = options.ofFlow.map((part) => ({ part, turns: new OneAtATime() }))
  }

  async hold(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#ofFlow.map((keeper) => this.#keepOn(keeper, signal)))
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, failed } = this.#options
    await clock.sleep(FIRST_AFTER_MS, signal)
    const under = [
      ...this.#keepers.map((keeper) => this.#keepOn(keeper, signal)),
      ...this.#keepers.flatMap(({ part }) => part.beside?.(signal) ?? []),
    ]
    // A shard without a part has nothing that would end by the signal.
    await abortable(Promise.race([...under, failed]), signal)
  }

  async finish(signal: AbortSignal): Promise<void> {
    const all = (inner: AbortSignal): Promise<unknown> =>
      Promise.all(this.#keepers.map((keeper) => this.#attempt(keeper, 'finish', inner)))
    // A turn that is under way and gets nowhere does not end by the limit.
    await timeLimited(FINISH_MS_MAX, this.#options.clock, signal, (inner) => abortable(all(inner), inner))
  }

  close(): void {
    for (const { part } of [...this.#keepers, ...this.#ofFlow]) part.close()
  }

  async #keepOn(keeper: Keeper, signal: AbortSignal): Promise<never> {
    const { clock } = this.#options
    for (;;) {
      const isDone = await this.#attempt(keeper, 'turn', signal)
      await clock.sleep(isDone ? keeper.part.everyMs : RETRY_MS, signal)
    }
  }

  #attempt({ part, turns }: Keeper, task: 'turn' | 'finish', signal: AbortSignal): Promise<boolean> {
    return turns.run(async () => {
      try {
        await part[task](signal)
        this.#tell(part, undefined)
        return true
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof KafkaError) && !(error instanceof RangeError)) throw error
        this.#tell(part, error.message)
        return false
      }
    })
  }

  #tell(part: MirrorPart, reason: string | undefined): void {
    if (reason === undefined) this.#troubles.delete(part)
    else this.#troubles.set(part, reason)
    this.#options.onTrouble(this.#troubles.values().next().value)
  }
}
