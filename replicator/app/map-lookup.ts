import { abortable, linkSignals } from '../kafka/abortable.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { OneAtATime } from '../kafka/one-at-a-time.ts'
import type { OffsetMap, Translation } from '../offsets/offset-map.ts'
import { sourceOffset, targetOffset } from '../records/offsets.ts'
import type { affixes } from '../topology/naming.ts'
import { FlowMaps, type FlowMapsOptions } from './flow-maps.ts'
import type { LookupRequestOptions, OffsetLookup } from './lookup-options.ts'
import type { LookupRefiner, RefinedAnswer } from './lookup-refiner.ts'
import type { KnownPair, Whereabouts } from './translated-offset.ts'

export interface LookupParts extends Omit<FlowMapsOptions, 'targetTopicOf'> {
  readonly affixes: ReturnType<typeof affixes>
  readonly source?: Cluster | undefined
  readonly refiner?: LookupRefiner | undefined
}

/** As `createOffsetLookup`, of given parts. It closes them. */
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
