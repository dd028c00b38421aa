import type { FlowId } from '../topology/model.ts'
import { decodeMapKey, type MapChunkKey, type MapKey } from './map-chunks.ts'

type Place = Pick<MapKey, 'topic' | 'partition'>

/** What a partition of the map topic says of a flow, as far as it was read: values by chunk number, by source partition. */
export class MapChunkIndex {
  readonly #flow: FlowId
  readonly #chunks = new Map<string, Map<number, Buffer>>()

  constructor(flow: FlowId) {
    this.#flow = flow
  }

  /** Records in the order of the log; those of other flows and versions are left alone. */
  add({ key, value }: { readonly key: Buffer | null; readonly value: Buffer | null }): void {
    const at = key === null ? undefined : chunkKeyOf(key)
    if (at === undefined || at.flow !== this.#flow) return
    const chunks = this.#chunks.get(nameOf(at)) ?? new Map<number, Buffer>()
    this.#chunks.set(nameOf(at), chunks)
    // Of two that speak of the same stretch the later one counts: it has to stand later.
    chunks.delete(at.chunk)
    if (value !== null) chunks.set(at.chunk, value)
  }

  of(place: Place): ReadonlyMap<number, Buffer> {
    return this.#chunks.get(nameOf(place)) ?? new Map()
  }

  /** As {@link of}, for the last time: the bytes need not be kept any longer. */
  take(place: Place): ReadonlyMap<number, Buffer> {
    const chunks = this.of(place)
    this.#chunks.delete(nameOf(place))
    return chunks
  }
}

const nameOf = ({ topic, partition }: Place): string => `${topic}/${partition}`

/** `undefined` for keys of other versions: whoever writes them looks after them. */
function chunkKeyOf(key: Buffer): MapChunkKey | undefined {
  try {
    return decodeMapKey(key)
  } catch {
    return undefined
  }
}
