import { OneAtATime } from '../kafka/one-at-a-time.ts'
import type { TopicLogOptions } from '../kafka/topic-log.ts'
import { type MirrorCodec, MirrorTopic } from '../offsets/mm2/mirror-topic.ts'
import { prepareMirrorTopic } from '../offsets/mm2/prepare-topic.ts'

export interface MirrorWriterOptions<T> extends TopicLogOptions {
  readonly codec: MirrorCodec<T>
  /** Of the topic, if it has to be created. */
  readonly replicationFactor: number | 'broker-default'
}

/** One of MirrorMaker 2's topics, made when it is first needed and written by all shards of a flow in turn. */
export class MirrorWriter<T> {
  readonly #options: MirrorWriterOptions<T>
  readonly #topic: MirrorTopic<T>
  readonly #turns = new OneAtATime()
  #isPrepared = false
  #timesMade = 0

  constructor(options: MirrorWriterOptions<T>) {
    this.#options = options
    this.#topic = new MirrorTopic(options.codec, options)
  }

  /** How often the topic was made here: what was written before has gone with the one before. */
  get timesMade(): number {
    return this.#timesMade
  }

  /** Appends at least once, in order. @throws KafkaError; RangeError; the signal's reason */
  async append(entries: readonly T[], signal: AbortSignal): Promise<void> {
    if (entries.length > 0) await this.#prepared(() => this.#topic.append(entries, signal), signal)
  }

  /**
   * Gives what stands in the topic from `from` on; what cannot be read as an entry is left out.
   * @returns where the next read goes on
   * @throws KafkaError; the signal's reason
   */
  async read(onEntry: (entry: T) => void, from: bigint, signal: AbortSignal): Promise<bigint> {
    return await this.#prepared(
      () =>
        this.#topic.read(
          (decoded) => {
            if (decoded.kind === 'decoded') onEntry(decoded.value)
          },
          signal,
          from,
        ),
      signal,
    )
  }

  async close(): Promise<void> {
    await this.#turns.settled()
    await this.#topic.close()
  }

  #prepared<R>(task: () => Promise<R>, signal: AbortSignal): Promise<R> {
    const { cluster, topic: name, replicationFactor } = this.#options
    return this.#turns.run(async () => {
      signal.throwIfAborted()
      if (!this.#isPrepared) {
        const { kind } = await prepareMirrorTopic(cluster, { name, replicationFactor }, signal)
        if (kind === 'created') this.#timesMade++
        this.#isPrepared = true
      }
      try {
        return await task()
      } catch (error) {
        // It may have been deleted.
        this.#isPrepared = false
        throw error
      }
    })
  }
}
