import type { BackoffPolicy } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { Cluster, TopicMetadata } from '../kafka/cluster.ts'
import { KafkaError, protocolError } from '../kafka/errors.ts'
import { OneAtATime } from '../kafka/one-at-a-time.ts'
import { TopicLog } from '../kafka/topic-log.ts'
import { LostRegistryError } from './lost-registry.ts'
import type { RegisteredProducer } from './origins.ts'
import { decodeRegistered, encodeRegistryKey, encodeRegistryValue } from './registry-record.ts'

const OFFSET_OUT_OF_RANGE = 1
const UNKNOWN_TOPIC_OR_PARTITION = 3
const TOPIC_ALREADY_EXISTS = 36
/** A broker that has not heard of a new topic yet is asked again, for about 10 s. */
const LOOKS_MAX = 100
const LOOK_PAUSE_MS = 100

export interface RegistryOptions {
  readonly cluster: Cluster
  /** `causeway.<topology>.producers` */
  readonly topic: string
  /** `causeway.<topology>.progress` on the same cluster: where there is progress, somebody was registered. */
  readonly progressTopic: string
  /**
   * Of the topic, should it have to be made. `never`: nothing replicates to this cluster, and it need not grant CREATE.
   */
  readonly create: { readonly replicationFactor: number | 'broker-default' } | 'never'
  /** Whether a flow tells copies on this cluster by it: then it is never made anew where flows have kept progress. */
  readonly isVital: boolean
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
}

/**
 * The registry of one cluster, as far as it was read. Serves one call at a time; others wait their turn.
 *
 * Invariant: the entries are those of one topic, read from its first offset without a hole. Whatever else is found
 * there is a {@link LostRegistryError}, from then on for ever.
 */
export class RegistryLog {
  readonly #options: RegistryOptions
  readonly #log: TopicLog
  readonly #entries = new Map<bigint, RegisteredProducer>()
  #topic: { readonly id: string | undefined } | undefined
  #next = 0n
  #lost: LostRegistryError | undefined
  readonly #turns = new OneAtATime()

  constructor(options: RegistryOptions) {
    this.#options = options
    this.#log = new TopicLog(options)
  }

  /** What was read so far: the first entry of each id, in the order they were written. */
  get entries(): ReadonlyMap<bigint, RegisteredProducer> {
    return this.#entries
  }

  /**
   * Reads what was added since the last time, up to where the topic ends now. A cluster without the topic has nobody
   * registered.
   * @throws LostRegistryError; KafkaError when it cannot be read
   */
  readOn(signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      if (await this.#isThere(signal)) await this.#readOn(signal)
    })
  }

  /** @throws LostRegistryError; KafkaError when it cannot be written, after retries */
  append(producer: RegisteredProducer, signal: AbortSignal): Promise<void> {
    return this.#inTurn(async () => {
      if (!(await this.#isThere(signal))) throw this.#missing()
      const record = {
        key: encodeRegistryKey(producer.producerId),
        value: encodeRegistryValue(producer),
        headers: [],
        timestamp: BigInt(Math.floor(this.#options.clock.wallMs())),
      }
      await this.#log.append(0, [record], signal)
      await this.#checkIdentity(signal)
    })
  }

  async close(): Promise<void> {
    await this.#turns.settled()
    await this.#log.close()
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#turns.run(() => {
      if (this.#lost !== undefined) throw this.#lost
      return work()
    })
  }

  async #readOn(signal: AbortSignal): Promise<void> {
    const onRecord = ({ key, value }: { key: Buffer | null; value: Buffer | null }): void => {
      // Nobody takes entries back: an id that was forgotten would bring its records back.
      if (key === null || value === null) return
      const producer = decodeRegistered(key, value)
      if (!this.#entries.has(producer.producerId)) this.#entries.set(producer.producerId, producer)
    }
    try {
      const { start, end } = await this.#log.read(0, onRecord, signal, this.#next)
      if (start > 0n) throw this.#lose(`begins at offset ${start}: its first entries were deleted`)
      this.#next = end
    } catch (error) {
      if (!(error instanceof KafkaError && error.code === OFFSET_OUT_OF_RANGE)) throw error
      throw this.#lose('is shorter than it was')
    }
    await this.#checkIdentity(signal)
  }

  /** Topic ids are never used twice: the same one afterwards means the same one all the time. */
  async #checkIdentity(signal: AbortSignal): Promise<void> {
    const known = this.#topic
    const found = await this.#look(signal)
    if (known === undefined || found === undefined) return
    if (known.id !== found.id) throw this.#lose('was deleted and re-created')
  }

  async #isThere(signal: AbortSignal): Promise<boolean> {
    const found = await this.#look(signal)
    if (this.#topic !== undefined) {
      if (found !== undefined && found.id !== this.#topic.id) throw this.#lose('was deleted and re-created')
      if (found === undefined && (await this.#awaited(signal)) === undefined) throw this.#lose('was deleted')
      return true
    }
    const topic = found ?? (await this.#made(signal))
    if (topic === undefined) return false
    this.#topic = { id: topic.id }
    return true
  }

  /** Makes the topic, unless it must have been there before. The controller knows it even where a broker does not yet. */
  async #made(signal: AbortSignal): Promise<TopicMetadata | undefined> {
    const { cluster, topic, create, isVital } = this.#options
    if (isVital && (await this.#hasProgress(signal))) {
      // A flow registers before it writes progress: who sees the one and not the other may see an old picture.
      return (await this.#awaited(signal)) ?? this.#neverThere()
    }
    if (create === 'never') return undefined
    const configs = new Map([['cleanup.policy', 'compact']])
    const created = await cluster.createTopics([{ name: topic, partitions: 1, configs, ...create }], signal)
    const outcome = created.get(topic)
    if (outcome !== undefined && !outcome.ok && outcome.error.code !== TOPIC_ALREADY_EXISTS)
      throw outcome.error
    const found = await this.#awaited(signal)
    if (found === undefined) throw this.#missing()
    return found
  }

  async #hasProgress(signal: AbortSignal): Promise<boolean> {
    const { cluster, progressTopic } = this.#options
    const lookup = (await cluster.describeTopics([progressTopic], signal)).get(progressTopic)
    if (lookup?.kind === 'failed') throw lookup.error
    if (lookup?.kind !== 'found') return false
    const log = new TopicLog({ ...this.#options, topic: progressTopic })
    let records = 0
    try {
      for (const { partition } of lookup.topic.partitions) {
        await log.read(partition, () => records++, signal)
        if (records > 0) return true
      }
      return false
    } finally {
      await log.close()
    }
  }

  async #awaited(signal: AbortSignal): Promise<TopicMetadata | undefined> {
    for (let left = LOOKS_MAX; left > 0; left--) {
      const found = await this.#look(signal)
      if (found?.partitions[0]?.leader !== undefined) return found
      await this.#options.clock.sleep(LOOK_PAUSE_MS, signal)
    }
    return this.#look(signal)
  }

  async #look(signal: AbortSignal): Promise<TopicMetadata | undefined> {
    const { cluster, topic } = this.#options
    const lookup = (await cluster.describeTopics([topic], signal)).get(topic)
    if (lookup?.kind === 'failed') throw lookup.error
    return lookup?.kind === 'found' ? lookup.topic : undefined
  }

  #neverThere(): never {
    throw this.#lose('is gone, although flows have kept progress here')
  }

  #lose(what: string): LostRegistryError {
    const { cluster, topic } = this.#options
    this.#lost = new LostRegistryError(cluster.alias, topic, what)
    return this.#lost
  }

  #missing(): KafkaError {
    const { cluster, topic } = this.#options
    const detail = 'the registry of producer ids could not be made'
    return protocolError(UNKNOWN_TOPIC_OR_PARTITION, { cluster: cluster.alias, topic }, detail)
  }
}
