import { systemRandom } from '../clock/random.ts'
import { systemClock } from '../clock/system-clock.ts'
import { abortable, linkSignals } from '../kafka/abortable.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { createKafkaCluster } from '../kafka/kafka-cluster.ts'
import { OneAtATime } from '../kafka/one-at-a-time.ts'
import type { ConnectionSettings } from '../kafka/settings.ts'
import type { OffsetMap, Translation } from '../offsets/offset-map.ts'
import type { ForwardingRule } from '../provenance/origins.ts'
import { sourceOffset, targetOffset } from '../records/offsets.ts'
import { flowId, regionAlias } from '../topology/identifiers.ts'
import { clientId, internalTopics } from '../topology/internal-names.ts'
import type { Naming, RegionAlias } from '../topology/model.ts'
import { affixes } from '../topology/naming.ts'
import { FlowMaps, type FlowMapsOptions } from './flow-maps.ts'
import { LookupRefiner, type RefinedAnswer } from './lookup-refiner.ts'
import type { KnownPair, TranslatedOffset, Whereabouts } from './translated-offset.ts'

export { KafkaError } from '../kafka/errors.ts'
export { Secret } from '../kafka/secret.ts'
export type { ConnectionSettings, SaslSettings, TlsSettings } from '../kafka/settings.ts'
export { MapFormatError } from '../offsets/map-format-error.ts'
export type { ForwardingRule } from '../provenance/origins.ts'
export type { Naming } from '../topology/model.ts'
export type { CoarseWhy, KnownPair, NoMapReason, TranslatedOffset, Whereabouts } from './translated-offset.ts'

const REFRESH_DEFAULT_MS = 1000
const REFINE_DEFAULT_MS = 5000
const BYTES_DEFAULT = 64 * 1024 * 1024

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

/**
 * Looks offsets up in the maps that a flow keeps on its target. Needs READ for `causeway.<topology>.map` there, and
 * DESCRIBE for the copies. With a `source`: READ for the topics on both sides, for `causeway.<topology>.producers` on
 * the target and, where names are kept, for that and `causeway.<topology>.progress` on the source. Connects on first
 * use.
 *
 *     const lookup = createOffsetLookup({
 *       topology: 'payments',
 *       flow: { source: 'us-east', target: 'eu-west' },
 *       target: { bootstrap: ['eu-west.example:9092'] },
 *     })
 *     const answer = await lookup.translate('payments', 0, 4198n)
 *     if (answer.kind === 'exact') consumer.seek({ topic: answer.topic, partition: 0, offset: `${answer.offset}` })
 *
 * @throws RangeError when a name cannot be that of a region
 */
export function createOffsetLookup(options: OffsetLookupOptions): OffsetLookup {
  const { topology, flow, refreshMs = REFRESH_DEFAULT_MS, bytesMax = BYTES_DEFAULT } = options
  const { refineMs: limitMs = REFINE_DEFAULT_MS } = options
  const [sourceAlias, targetAlias] = [regionAlias(flow.source), regionAlias(flow.target)]
  const seams = { clock: systemClock, random: systemRandom }
  const connect = (alias: RegionAlias, settings: LookupConnection, patience: { patienceMs?: number }) =>
    createKafkaCluster({
      alias,
      settings: { clientId: clientId({ name: topology }), ...settings },
      ...seams,
      ...patience,
    })
  const target = connect(targetAlias, options.target, {})
  // So that it is told who does not answer, before the time is over.
  const patienceMs = Math.ceil(limitMs / 2)
  const source = options.source && connect(sourceAlias, options.source, { patienceMs })
  const id = flowId(sourceAlias, targetAlias)
  const naming = flow.naming ?? { kind: 'identity' }
  const topics = internalTopics({ name: topology })
  return offsetLookupOf({
    ...seams,
    cluster: target,
    mapTopic: topics.map,
    flow: id,
    affixes: affixes(naming, sourceAlias, targetAlias),
    refreshMs,
    bytesMax,
    source,
    refiner:
      source &&
      new LookupRefiner({
        ...seams,
        flow: { id, source: sourceAlias, target: targetAlias },
        source,
        target,
        topics,
        rule: naming.kind === 'identity' ? flow.forwards : 'everything',
        limitMs,
      }),
  })
}

interface LookupParts extends Omit<FlowMapsOptions, 'targetTopicOf'> {
  readonly affixes: ReturnType<typeof affixes>
  readonly source?: Cluster | undefined
  readonly refiner?: LookupRefiner | undefined
}

/** As {@link createOffsetLookup}, of given parts. It closes them. */
export function offsetLookupOf({
  affixes: { before, after },
  source,
  refiner,
  ...parts
}: LookupParts): OffsetLookup {
  const maps = new FlowMaps({ ...parts, targetTopicOf: (topic) => before + topic + after })
  const turns = new OneAtATime()
  const closing = new AbortController()
  let closed: Promise<void> | undefined

  /** What the map says of a position; both logs where that is not exact. */
  const answerOf = async <Offset extends bigint>(
    topic: string,
    partition: number,
    position: bigint,
    ask: (map: OffsetMap) => Translation<Offset>,
    { signal, topicId }: LookupRequestOptions = {},
  ): Promise<Whereabouts> => {
    const isPartition = Number.isSafeInteger(partition) && partition >= 0
    if (!isPartition || position < 0n)
      throw new RangeError(`${topic}/${partition}@${position} is no position`)
    closing.signal.throwIfAborted()
    const link = linkSignals(signal, closing.signal)
    try {
      const turn = turns.run(async () => {
        link.signal.throwIfAborted()
        const found = await maps.of({ topic, partition }, topicId, link.signal)
        if (found.kind === 'no-map') return { ...found }
        const { map } = found
        if (refiner === undefined) return plain({ translation: ask(map) })
        const copy = { ...found, topic, partition, targetTopic: before + topic + after }
        return plain(await refiner.exact(copy, () => ask(map), link.signal))
      })
      return await abortable(turn, link.signal)
    } finally {
      link.release()
    }
  }
  return {
    async translate(topic, partition, position, options) {
      const ask = (map: OffsetMap) => map.translate(sourceOffset(position))
      const where = await answerOf(topic, partition, position, ask, options)
      return { topic: before + topic + after, partition, ...where }
    },
    async translateBack(topic, partition, position, options) {
      const isCopy = topic.length > before.length + after.length
      if (!isCopy || !topic.startsWith(before) || !topic.endsWith(after))
        throw new RangeError(
          `"${topic}" is no copy of ${parts.flow}: those are called ${before}<topic>${after}`,
        )
      const original = topic.slice(before.length, topic.length - after.length)
      const ask = (map: OffsetMap) => map.translateBack(targetOffset(position))
      const where = await answerOf(original, partition, position, ask, options)
      return { topic: original, partition, ...where }
    },
    close() {
      closing.abort(new Error('The offset lookup was closed'))
      closed ??= turns.settled().then(async () => {
        await Promise.all([maps.close(), refiner?.close()])
        await Promise.all([parts.cluster.close(), source?.close()])
      })
      return closed
    },
  }
}

function plain({ translation, ...coarse }: RefinedAnswer<bigint>): Whereabouts {
  switch (translation.kind) {
    case 'exact':
      return { ...translation }
    case 'between':
      return { kind: 'between', from: translation.from, to: translation.to, ...coarse }
    case 'not-copied-yet':
      return { kind: 'not-copied-yet', last: pair(translation.last) }
    case 'before-the-map':
      return { kind: 'before-the-map', first: pair(translation.first) }
  }
}

const pair = ({ source, target }: KnownPair): KnownPair => ({ source, target })
