import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { decodeMapValue, type MapTopicIds } from '../offsets/map-chunks.ts'
import { MapFormatError } from '../offsets/map-format-error.ts'
import type { OffsetMap } from '../offsets/offset-map.ts'
import { readChunks } from '../offsets/read-chunks.ts'
import type { FlowId } from '../topology/model.ts'
import { ChunkStore, type Place } from './chunk-store.ts'
import { MapTopicReader } from './map-topic-reader.ts'
import type { NoMapReason } from './translated-offset.ts'

/** Maps that are kept ready to answer, the last ones that were asked for. */
const READY_MAX = 16

export interface FlowMapsOptions {
  /** The target. */
  readonly cluster: Cluster
  readonly mapTopic: string
  readonly flow: FlowId
  readonly targetTopicOf: (topic: string) => string
  readonly refreshMs: number
  readonly bytesMax: number
  readonly clock: Clock
  readonly random: Random
}

export type FoundMap =
  /** `ids`: of the topics that it is about. */
  | { readonly kind: 'map'; readonly map: OffsetMap; readonly ids: MapTopicIds }
  | { readonly kind: 'no-map'; readonly why: NoMapReason }

interface ReadyMap {
  readonly made: string
  readonly found: FoundMap
}

/** The maps of a flow's partitions as its target tells them. One call at a time. */
export class FlowMaps {
  readonly #options: FlowMapsOptions
  readonly #store: ChunkStore
  readonly #reader: MapTopicReader
  readonly #ready = new Map<string, ReadyMap>()
  /** Ids of target topics as of the last reading; `undefined` for brokers without ids. */
  readonly #ids = new Map<string, { readonly id: string | undefined } | 'missing'>()
  #isMissing = false

  constructor(options: FlowMapsOptions) {
    this.#options = options
    const { cluster, mapTopic: topic, flow, bytesMax, clock, random } = options
    this.#store = new ChunkStore(flow, bytesMax)
    this.#reader = new MapTopicReader({ cluster, topic, store: this.#store, clock, random })
  }

  /**
   * @param topicId of the source topic, if known: maps of a former topic of its name are not believed then
   * @throws KafkaError; MapFormatError when a newer Causeway wrote the map; the signal's reason
   */
  async of(place: Place, topicId: string | undefined, signal: AbortSignal): Promise<FoundMap> {
    if (this.#reader.ageMs >= this.#options.refreshMs) {
      this.#ids.clear()
      this.#isMissing = (await this.#reader.readOn(signal)) === 'missing'
    }
    if (this.#isMissing) return { kind: 'no-map', why: 'no-map-topic' }
    if (this.#store.ask(place) === 'forgotten') await this.#reader.readAgain(place, signal)
    const target = await this.#targetOf(place.topic, signal)
    if (target === 'missing') return { kind: 'no-map', why: 'no-copy' }
    const made = `${this.#store.of(place).revision} ${topicId} ${target.id}`
    const name = `${place.topic}/${place.partition}`
    const ready = this.#ready.get(name)
    const found = ready?.made === made ? ready.found : this.#make(place, topicId, target.id)
    this.#ready.delete(name)
    this.#ready.set(name, { made, found })
    for (const oldest of this.#ready.keys()) if (this.#ready.size > READY_MAX) this.#ready.delete(oldest)
    return found
  }

  close(): Promise<void> {
    return this.#reader.close()
  }

  async #targetOf(topic: string, signal: AbortSignal) {
    const known = this.#ids.get(topic)
    if (known !== undefined) return known
    const { cluster, targetTopicOf } = this.#options
    const name = targetTopicOf(topic)
    const lookup = (await cluster.describeTopics([name], signal)).get(name)
    if (lookup?.kind === 'failed') throw lookup.error
    const target = lookup?.kind === 'found' ? { id: lookup.topic.id } : 'missing'
    this.#ids.set(topic, target)
    return target
  }

  #make(place: Place, topicId: string | undefined, targetTopicId: string | undefined): FoundMap {
    const all = [...this.#store.of(place).chunks.values()].filter(({ size }) => size > 0)
    if (all.length === 0) return { kind: 'no-map', why: 'not-in-map' }
    // A flow whose number of shards was changed has written of it in several partitions.
    const [found] = all
      .flatMap((chunks) => {
        const ids = { topicId: topicId ?? lastSourceId(chunks), targetTopicId }
        const { map } = readChunks(chunks, ids)
        return map === undefined ? [] : [{ map, ids }]
      })
      .toSorted((one, other) => Number(other.map.end.target - one.map.end.target))
    return found === undefined ? { kind: 'no-map', why: 're-created' } : { kind: 'map', ...found }
  }
}

/** Which source topic the chunk that was written last speaks of: until they are deleted, others may stand beside it. */
function lastSourceId(chunks: ReadonlyMap<number, Buffer>): string | undefined {
  for (const bytes of [...chunks.values()].toReversed()) {
    try {
      return decodeMapValue(bytes).ids.topicId
    } catch (error) {
      // The others tell as well; what cannot be read at all is reported by readChunks.
      if (!(error instanceof MapFormatError)) throw error
    }
  }
  return undefined
}
