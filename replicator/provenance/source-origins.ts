import { abortable } from '../kafka/abortable.ts'
import { isControl, producerId } from '../records/batch-header.ts'
import { LastProducer } from '../records/last-producer.ts'
import { nextBatch } from '../records/record-batch.ts'
import type { Flow } from '../topology/model.ts'
import { leftOutUnder } from './left-out.ts'
import type { ForwardingRule, Origins, RegisteredProducer } from './origins.ts'
import { RegistryLog, type RegistryOptions } from './registry-log.ts'

/** {@link Origins} that can be closed, and that tells more. */
export interface SourceOrigins extends Origins {
  /** Every id that a replicator was found to write with so far. */
  readonly writers: ReadonlyMap<bigint, RegisteredProducer>
  /** Reads the registry to its end now. @throws LostRegistryError; KafkaError when it cannot be read */
  refresh(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

export interface OriginsOptions extends RegistryOptions {
  /** Whose batches do not count as local. Default: every replicator's. */
  readonly isLeftOut?: (writer: RegisteredProducer) => boolean
  /** Whose source this is; needed to judge by another rule than {@link isLeftOut}. */
  readonly flow?: Pick<Flow, 'source' | 'target'>
}

/** Ids known to be local; older ones are asked about again, so that memory is bounded however many come and go. */
const LOCAL_IDS_MAX = 100_000

/**
 * Origins by the cluster's registry. Ids that are met for the first time cost one reading of what was added to the
 * registry; whoever waits meanwhile shares the next one.
 *
 * {@link Origins.learn} rejects with a LostRegistryError when the registry is not what it was, which is final, and
 * with a KafkaError when it cannot be read.
 */
export function createOrigins(options: OriginsOptions): SourceOrigins {
  return new RegistryOrigins(options)
}

class RegistryOrigins implements SourceOrigins {
  readonly #log: RegistryLog
  readonly #isLeftOut: (writer: RegisteredProducer) => boolean
  readonly #flow: Pick<Flow, 'source' | 'target'> | undefined
  /** Two generations: the older one goes when the younger one is full. */
  #local = new Set<bigint>()
  #olderLocal = new Set<bigint>()
  readonly #closing = new AbortController()
  #reading: Promise<void> | undefined
  /** The reading that begins when the present one has ended. */
  #next: Promise<void> | undefined

  constructor({ isLeftOut = () => true, flow, ...options }: OriginsOptions) {
    this.#log = new RegistryLog(options)
    this.#isLeftOut = isLeftOut
    this.#flow = flow
  }

  get writers(): ReadonlyMap<bigint, RegisteredProducer> {
    return this.#log.entries
  }

  learn(records: Buffer, signal: AbortSignal): Promise<void> | undefined {
    let unknown: Set<bigint> | undefined
    const last = new LastProducer()
    for (let at = 0; ; ) {
      const found = nextBatch(records, at)
      if (found.kind !== 'batch') break
      // A producer's marker stands before its first batch: it must not pass for having been asked about.
      if (!isControl(records, at) && !last.isSame(records, at)) {
        const id = producerId(records, at)
        if (id >= 0n && !this.#isKnown(id)) {
          unknown ??= new Set()
          unknown.add(id)
        }
      }
      at += found.bytes
    }
    return unknown === undefined ? undefined : this.#ask(unknown, signal)
  }

  isLocal(producerId: bigint): boolean {
    const writer = this.#log.entries.get(producerId)
    return writer === undefined || !this.#isLeftOut(writer)
  }

  isForwarded(producerId: bigint, rule: ForwardingRule): boolean {
    const writer = this.#log.entries.get(producerId)
    if (writer === undefined || rule === 'everything') return true
    if (this.#flow === undefined) throw new Error('Nobody has said whose source this is')
    return leftOutUnder(rule, this.#flow)?.(writer) !== true
  }

  refresh(signal: AbortSignal): Promise<void> {
    return abortable(this.#readAfterNow(), signal)
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('the registry is no longer read'))
    await this.#log.close()
  }

  #isKnown(id: bigint): boolean {
    if (this.#local.has(id) || this.#log.entries.has(id)) return true
    if (!this.#olderLocal.has(id)) return false
    this.#remember(id)
    return true
  }

  async #ask(unknown: ReadonlySet<bigint>, signal: AbortSignal): Promise<void> {
    await abortable(this.#readAfterNow(), signal)
    for (const id of unknown) if (!this.#log.entries.has(id)) this.#remember(id)
  }

  #remember(id: bigint): void {
    if (this.#local.size >= LOCAL_IDS_MAX / 2) {
      this.#olderLocal = this.#local
      this.#local = new Set()
    }
    this.#local.add(id)
  }

  /** A reading that is under way may have passed the end before an entry came: only one that begins now will do. */
  #readAfterNow(): Promise<void> {
    if (this.#reading === undefined) return this.#read()
    this.#next ??= this.#reading
      .catch(() => {})
      .then(() => {
        this.#next = undefined
        return this.#read()
      })
    return this.#next
  }

  #read(): Promise<void> {
    const reading = this.#log.readOn(this.#closing.signal).finally(() => {
      if (this.#reading === reading) this.#reading = undefined
    })
    this.#reading = reading
    reading.catch(() => {})
    return reading
  }
}
