import type { LogWalks } from '../logs/log-walks.ts'
import type { ForwardingRule, Origins, ProducerRegistry } from '../provenance/origins.ts'
import type { SourceOffset } from '../records/offsets.ts'
import type { FlowId } from '../topology/model.ts'
import type { CoarseSpan, OffsetMap } from './offset-map.ts'
import { type RefinedCopy, refineCopy } from './refine-copy.ts'
import type { CoarseReason } from './refine-span.ts'

/** Spans that are known to stay coarse, over all partitions; the oldest are forgotten, and walked once more. */
const HOPELESS_MAX = 10_000

export interface CopyRefinerOptions {
  readonly flow: FlowId
  /** Through either cluster's logs. */
  readonly walks: {
    readonly source: Pick<LogWalks, 'walk' | 'bounds'>
    readonly target: Pick<LogWalks, 'walk' | 'bounds'>
  }
  readonly rule: ForwardingRule
  /** Of the source; needed where the rule is not `everything`. */
  readonly origins: Origins | undefined
  /** Of the target. */
  readonly registry: Pick<ProducerRegistry, 'formerly'> | undefined
  /**
   * Nobody but the flow has business in its target topics: where the registry names no producer of the flow's, every
   * record there is taken for a copy.
   */
  readonly writesAlone: boolean
  /** Of both logs together, walked for one span. Default 64 MiB. */
  readonly bytesMax?: number
  /** See {@link RefineCopyTools.partsMax}. */
  readonly partsMax?: number
}

/** A source partition, its copy, and the map between them. */
export interface MappedCopy {
  /** Its topic's name on the source. */
  readonly topic: string
  readonly partition: number
  readonly targetTopic: string
  readonly map: OffsetMap | undefined
}

/**
 * Makes coarse spans of a flow's maps exact, as far as the logs tell. Whose records are copies is told by the ids that
 * the flow has registered on the target rather than by the topology: clients that failed over may have written there.
 */
export class CopyRefiner {
  readonly #options: CopyRefinerOptions
  /** Walking these again would tell the same. */
  readonly #hopeless = new Map<string, CoarseReason>()

  constructor(options: CopyRefinerOptions) {
    this.#options = options
  }

  /**
   * @param around which source position is asked for, where the map has no room for every part
   * @throws KafkaError when a log or a registry cannot be read; the signal's reason
   */
  async refine(
    copy: MappedCopy,
    span: CoarseSpan,
    signal: AbortSignal,
    around?: SourceOffset,
  ): Promise<RefinedCopy> {
    const { walks, rule, origins, bytesMax, partsMax } = this.#options
    const { topic, partition, targetTopic, map } = copy
    if (map === undefined) return { kind: 'outdated' }
    const hopeless = this.#hopeless.get(nameOf(copy, span))
    if (hopeless !== undefined) return { kind: 'stays-coarse', reason: hopeless }
    const result = await refineCopy(
      map,
      span,
      {
        source: { walks: walks.source, topic, partition },
        target: { walks: walks.target, topic: targetTopic, partition },
        rule,
        origins,
        producers: await this.#producers(signal),
        ...(bytesMax !== undefined && { bytesMax }),
        ...(partsMax !== undefined && { partsMax }),
        ...(around !== undefined && { around }),
      },
      signal,
    )
    if (result.kind === 'stays-coarse') this.#remember(copy, span, result.reason)
    else if (result.kind === 'refined' && result.reason !== undefined)
      for (const part of result.coarse) this.#remember(copy, part, result.reason)
    return result
  }

  /** Ids are registered before their first batch: whoever reads them now knows everybody who wrote the span. */
  async #producers(signal: AbortSignal): Promise<ReadonlySet<bigint> | 'everybody' | undefined> {
    const { registry, flow, writesAlone } = this.#options
    const entries = (await registry?.formerly(flow, signal)) ?? []
    if (entries.length > 0) return new Set(entries.map(({ producerId }) => producerId))
    return writesAlone ? 'everybody' : undefined
  }

  #remember(copy: MappedCopy, span: CoarseSpan, reason: CoarseReason): void {
    // Of what was not reached more may be told the next time.
    if (reason === 'not-reached') return
    this.#hopeless.set(nameOf(copy, span), reason)
    for (const oldest of this.#hopeless.keys())
      if (this.#hopeless.size > HOPELESS_MAX) this.#hopeless.delete(oldest)
      else break
  }
}

const nameOf = (
  { topic, partition }: MappedCopy,
  { sourceFrom, sourceTo, targetFrom, targetTo }: CoarseSpan,
): string => `${topic}/${partition} ${sourceFrom}-${sourceTo} ${targetFrom}-${targetTo}`
