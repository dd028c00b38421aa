import type { BackoffPolicy } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import { aclKey, type TopicAcl } from '../kafka/acl-binding.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { KafkaError, protocolError, transportError } from '../kafka/errors.ts'
import { TopicLog } from '../kafka/topic-log.ts'
import type { RecordContent } from '../records/decode.ts'
import type { FlowId } from '../topology/model.ts'
import type { OwnAcl } from './acl-plan.ts'
import { decodeAclKey, decodeAclValue, encodeAclKey, encodeAclValue } from './acl-record.ts'

/** Which rules a flow has made on its target. They outlive the process: others are a person's, and are left alone. */
export interface AclMemory {
  /** Everything remembered now. @throws KafkaError when it cannot be read */
  read(signal: AbortSignal): Promise<readonly OwnAcl[]>
  /** Before the rules are made. @throws KafkaError when it cannot be written */
  remember(acls: readonly OwnAcl[], signal: AbortSignal): Promise<void>
  /** After the rules were taken away. @throws KafkaError when it cannot be written */
  forget(acls: readonly TopicAcl[], signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

const OFFSET_OUT_OF_RANGE = 1
const UNKNOWN_TOPIC_OR_PARTITION = 3
const TOPIC_ALREADY_EXISTS = 36
/** A broker that has not heard of a new topic yet is asked again, for about 10 s. */
const LOOKS_MAX = 100
const LOOK_PAUSE_MS = 100
/** Some 100 KiB: far below the least `max.message.bytes` that anybody sets. */
const RECORDS_PER_BATCH = 300

export interface AclMemoryOptions {
  readonly cluster: Cluster
  /** `causeway.<topology>.acls`, compacted, one partition. Made when there is something to remember. */
  readonly topic: string
  readonly flow: FlowId
  readonly replicationFactor: number | 'broker-default'
  readonly clock: Clock
  readonly random: Random
  readonly backoff: BackoffPolicy
}

/** Kept in a topic on the flow's target. */
export function createAclMemory(options: AclMemoryOptions): AclMemory {
  return new AclMemoryLog(options)
}

class AclMemoryLog implements AclMemory {
  readonly #options: AclMemoryOptions
  readonly #log: TopicLog
  #known = new Map<string, OwnAcl>()
  #topicId: string | undefined
  #next = 0n

  constructor(options: AclMemoryOptions) {
    this.#options = options
    this.#log = new TopicLog(options)
  }

  async read(signal: AbortSignal): Promise<readonly OwnAcl[]> {
    const found = await this.#look(signal)
    // Without the topic nothing of ours is known, so that nothing is taken away.
    if (found === undefined) this.#startOver(undefined)
    else {
      if (found.id !== this.#topicId) this.#startOver(found.id)
      await this.#readOn(signal)
    }
    return [...this.#known.values()]
  }

  async remember(acls: readonly OwnAcl[], signal: AbortSignal): Promise<void> {
    if (acls.length === 0) return
    if ((await this.#look(signal)) === undefined) await this.#make(signal)
    await this.#append(
      acls.map((own) => ({ acl: own.acl, value: encodeAclValue(own) })),
      signal,
    )
  }

  async forget(acls: readonly TopicAcl[], signal: AbortSignal): Promise<void> {
    await this.#append(
      acls.map((acl) => ({ acl, value: null })),
      signal,
    )
  }

  async close(): Promise<void> {
    await this.#log.close()
  }

  async #readOn(signal: AbortSignal): Promise<void> {
    try {
      const { end } = await this.#log.read(0, (record) => this.#take(record), signal, this.#next)
      this.#next = end
    } catch (error) {
      if (!(error instanceof KafkaError && error.code === OFFSET_OUT_OF_RANGE)) throw error
      // Another topic by now, or one that lost its end.
      this.#startOver(this.#topicId)
      throw error
    }
  }

  #take({ key, value }: Pick<RecordContent, 'key' | 'value'>): void {
    if (key === null) return
    try {
      const { flow, acl } = decodeAclKey(key)
      if (flow !== this.#options.flow) return
      if (value === null) this.#known.delete(aclKey(acl))
      else this.#known.set(aclKey(acl), { acl, topic: decodeAclValue(value) })
    } catch (error) {
      // Who does not know which rules are the flow's takes none away; records are copied all the same.
      const { cluster, topic } = this.#options
      const wayOut = 'A later version may have written it: go back to that one, or delete the topic.'
      const what = 'a record of the memory of ACLs cannot be understood'
      throw transportError('malformed', what, { cluster: cluster.alias, topic }, error, wayOut)
    }
  }

  async #append(
    entries: readonly { readonly acl: TopicAcl; readonly value: Buffer | null }[],
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, flow } = this.#options
    const timestamp = BigInt(Math.floor(clock.wallMs()))
    for (let start = 0; start < entries.length; start += RECORDS_PER_BATCH) {
      const records = entries
        .slice(start, start + RECORDS_PER_BATCH)
        .map(({ acl, value }) => ({ key: encodeAclKey(flow, acl), value, headers: [], timestamp }))
      await this.#log.append(0, records, signal)
    }
  }

  async #make(signal: AbortSignal): Promise<void> {
    const { cluster, topic, replicationFactor, clock } = this.#options
    const configs = new Map([['cleanup.policy', 'compact']])
    const made = await cluster.createTopics(
      [{ name: topic, partitions: 1, replicationFactor, configs }],
      signal,
    )
    const outcome = made.get(topic)
    if (outcome !== undefined && !outcome.ok && outcome.error.code !== TOPIC_ALREADY_EXISTS)
      throw outcome.error
    for (let left = LOOKS_MAX; left > 0; left--) {
      if ((await this.#look(signal))?.isLed) return
      await clock.sleep(LOOK_PAUSE_MS, signal)
    }
    const place = { cluster: cluster.alias, topic }
    throw protocolError(UNKNOWN_TOPIC_OR_PARTITION, place, 'created, but not known after 10 s')
  }

  async #look(signal: AbortSignal) {
    const { cluster, topic } = this.#options
    const lookup = (await cluster.describeTopics([topic], signal)).get(topic)
    if (lookup?.kind === 'failed') throw lookup.error
    if (lookup?.kind !== 'found') return undefined
    return { id: lookup.topic.id, isLed: lookup.topic.partitions[0]?.leader !== undefined }
  }

  #startOver(topicId: string | undefined): void {
    this.#known = new Map()
    this.#topicId = topicId
    this.#next = 0n
  }
}
