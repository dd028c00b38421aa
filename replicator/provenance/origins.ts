/**
 * Which committed records a flow forwards: all; all but those that the flow back from its target brought; only those
 * that the source's own clients wrote. It is written down with progress, because what was copied under one rule cannot
 * be counted by another.
 */
export type ForwardingRule = 'everything' | 'all-but-returned' | 'local'

/** Tells who wrote the batches of one cluster: its own clients, or a replicator from elsewhere. */
export interface Origins {
  /**
   * Makes {@link isLocal} answer for every batch in fetched bytes. Must be called after the bytes were fetched: an id
   * is registered before its first batch, so the registry, read afterwards, knows it.
   * @returns `undefined` when all verdicts are known already, which costs no turn of the event loop
   */
  learn(records: Buffer, signal: AbortSignal): Promise<void> | undefined
  /** Whether batches of this producer id were written by the cluster's own clients; -1 is always local. */
  isLocal(producerId: bigint): boolean
  /** Whether the flow forwards batches of this producer id while its rule is, or was, this one. */
  isForwarded(producerId: bigint, rule: ForwardingRule): boolean
}

/** The list, on one cluster, of the producer ids that replicators write to it with. */
export interface ProducerRegistry {
  /**
   * Settles when the id is on the cluster for everybody to see. Must be awaited before the id's first batch. An id that
   * is there already, by whomever, keeps its first entry.
   * @throws KafkaError when it cannot be written, after retries
   */
  register(producer: RegisteredProducer, signal: AbortSignal): Promise<void>
  /** Every id that was ever registered for the flow, as it was registered first. */
  formerly(flow: string, signal: AbortSignal): Promise<readonly RegisteredProducer[]>
}

export interface RegisteredProducer {
  readonly producerId: bigint
  /** The flow that writes with it. */
  readonly flow: string
  readonly shard: number
  /** The id of the progress topic that goes with it: when that is another topic by now, progress was lost. */
  readonly progressTopicId: string | undefined
}
