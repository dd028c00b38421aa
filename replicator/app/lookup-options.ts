import type { ConnectionSettings } from '../kafka/settings.ts'
import type { ForwardingRule } from '../provenance/origins.ts'
import type { Naming } from '../topology/model.ts'
import type { TranslatedOffset } from './translated-offset.ts'

/** How a cluster is reached; the client id is the topology's unless it is given. */
export type LookupConnection = Omit<ConnectionSettings, 'clientId'> &
  Partial<Pick<ConnectionSettings, 'clientId'>>

export interface OffsetLookupOptions {
  /** The topology's `name` in causeway.yaml. */
  readonly topology: string
  readonly flow: {
    /** Aliases of the regions, such as `us-east`. */
    readonly source: string
    readonly target: string
    /** How copies are called. Default: as their originals. */
    readonly naming?: Naming
    /**
     * Which records the flow forwards, with `identity` naming and a `source`: `local` where topics of one name hold
     * records of several regions (`active-active`), `all-but-returned` otherwise. Default: what both would say alike.
     */
    readonly forwards?: ForwardingRule
  }
  /** The target's cluster, where the copies are and the map is. */
  readonly target: LookupConnection
  /**
   * The source's cluster. With it positions that the map knows between two ends only, around a crash, are looked for in
   * both logs, and are exact nearly always. Without it the source is not asked. It may be gone: then answers are as
   * they would be without it.
   */
  readonly source?: LookupConnection
  /** How long the logs may be read for one answer, in milliseconds. Default 5000. */
  readonly refineMs?: number
  /**
   * How old what was read may be, in milliseconds. Default 1000. The flow writes every five seconds, so much less is no
   * use.
   */
  readonly refreshMs?: number
  /**
   * How much of the flow's maps is kept as it is written, in bytes. Default 64 MiB. What was asked for longest ago is
   * read again when it is asked for.
   */
  readonly bytesMax?: number
}

export interface LookupRequestOptions {
  readonly signal?: AbortSignal
  /**
   * The source topic's id, if it is known. Without it the answer is about the topic of this name that was copied last,
   * which may have been re-created since.
   */
  readonly topicId?: string
}

/**
 * Where positions of a source's partitions stand in their copies, and the other way round. Calls may overlap; they are
 * answered one after the other.
 */
export interface OffsetLookup {
  /**
   * Where reading goes on in the copy for whoever stands at a position of the source.
   *
   * @param topic its name on the source
   * @param position as groups commit it: the next offset to read
   * @throws KafkaError when the target cannot be read, after retries for about half a minute; MapFormatError when a
   *   newer Causeway wrote the map; RangeError when the position is none; the signal's reason
   */
  translate(
    topic: string,
    partition: number,
    position: bigint,
    options?: LookupRequestOptions,
  ): Promise<TranslatedOffset>
  /**
   * Where reading goes on in the source for whoever stands at a position of the copy.
   *
   * @param topic the copy's name on the target
   * @throws as {@link translate}; RangeError when the flow calls no copy so
   */
  translateBack(
    topic: string,
    partition: number,
    position: bigint,
    options?: LookupRequestOptions,
  ): Promise<TranslatedOffset>
  /** Ends what is under way and closes the connections. Idempotent. */
  close(): Promise<void>
}
