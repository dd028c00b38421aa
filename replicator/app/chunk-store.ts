import { decodeMapKey, type MapChunkKey, type MapKey } from '../offsets/map-chunks.ts'
import type { FlowId } from '../topology/model.ts'

/** A source partition of the flow. */
export type Place = Pick<MapKey, 'topic' | 'partition'>

/** Chunks by number, in the order of their records, by the partition of the map topic that holds them. */
export type ChunksByMapPartition = ReadonlyMap<number, ReadonlyMap<number, Buffer>>

interface Entry {
  readonly chunks: Map<number, Map<number, Buffer>>
  bytes: number
  /** Another one with every change, never the same again: what was made of the chunks is out of date then. */
  revision: number
}

/** Of a chunk, for the objects around its bytes. */
const CHUNK_OVERHEAD_BYTES = 200

/**
 * What the map topic says of a flow, in bounded memory. When there is too much of it, the partitions that were asked
 * for longest ago are forgotten, those that nobody asked for first; only their names stay. The partition that was
 * asked for last is kept whatever it takes: a flow bounds its maps by itself.
 */
export class ChunkStore {
  readonly #flow: FlowId
  readonly #bytesMax: number
  /** In the order of being asked for. */
  readonly #asked = new Map<string, Entry>()
  readonly #unasked = new Map<string, Entry>()
  readonly #forgotten = new Set<string>()
  #bytes = 0
  #revision = 0

  constructor(flow: FlowId, bytesMax: number) {
    this.#flow = flow
    this.#bytesMax = bytesMax
  }

  get bytes(): number {
    return this.#bytes
  }

  /**
   * Takes a record of the map topic; those of other flows and versions are left alone.
   * @param only takes nothing but what is about this partition
   */
  add(
    mapPartition: number,
    { key, value }: { readonly key: Buffer | null; readonly value: Buffer | null },
    only?: Place,
  ): void {
    const at = key === null ? undefined : chunkKeyOf(key)
    if (at === undefined || at.flow !== this.#flow) return
    const name = nameOf(at)
    if (only === undefined ? this.#forgotten.has(name) : name !== nameOf(only)) return
    const entry = this.#entryOf(name)
    const chunks = entry.chunks.get(mapPartition) ?? new Map<number, Buffer>()
    entry.chunks.set(mapPartition, chunks)
    const former = chunks.get(at.chunk)
    if (former !== undefined) this.#count(entry, -former.length - CHUNK_OVERHEAD_BYTES)
    // Of two that speak of the same stretch the later one counts: it has to stand later.
    chunks.delete(at.chunk)
    if (value !== null) {
      // A copy: what was read is a view of its whole batch.
      chunks.set(at.chunk, Buffer.from(Uint8Array.from(value).buffer))
      this.#count(entry, value.length + CHUNK_OVERHEAD_BYTES)
    }
    entry.revision = ++this.#revision
    this.#forgetSome()
  }

  /** Says that a partition is asked for. @returns whether it was forgotten, so that it has to be read again */
  ask(place: Place): 'known' | 'forgotten' {
    const name = nameOf(place)
    const isForgotten = this.#forgotten.delete(name)
    const entry = this.#asked.get(name) ?? this.#unasked.get(name)
    this.#asked.delete(name)
    this.#unasked.delete(name)
    this.#asked.set(name, entry ?? { chunks: new Map(), bytes: 0, revision: 0 })
    return isForgotten ? 'forgotten' : 'known'
  }

  /** Forgets a partition whose reading failed on the way. */
  forget(place: Place): void {
    const name = nameOf(place)
    const entry = this.#asked.get(name) ?? this.#unasked.get(name)
    if (entry !== undefined) this.#count(entry, -entry.bytes)
    this.#asked.delete(name)
    this.#unasked.delete(name)
    this.#forgotten.add(name)
  }

  of(place: Place): { readonly chunks: ChunksByMapPartition; readonly revision: number } {
    const name = nameOf(place)
    return this.#asked.get(name) ?? this.#unasked.get(name) ?? { chunks: new Map(), revision: 0 }
  }

  /** Whatever is known is wrong, or may be: begin anew. */
  clear(): void {
    this.#asked.clear()
    this.#unasked.clear()
    this.#forgotten.clear()
    this.#bytes = 0
  }

  #entryOf(name: string): Entry {
    const known = this.#asked.get(name) ?? this.#unasked.get(name)
    if (known !== undefined) return known
    const entry = { chunks: new Map(), bytes: 0, revision: 0 }
    this.#unasked.set(name, entry)
    return entry
  }

  #count(entry: Entry, bytes: number): void {
    entry.bytes += bytes
    this.#bytes += bytes
  }

  #forgetSome(): void {
    while (this.#bytes > this.#bytesMax) {
      const from = this.#unasked.size > 0 ? this.#unasked : this.#asked
      const [oldest] = from
      if (oldest === undefined || (from === this.#asked && from.size === 1)) return
      const [name, entry] = oldest
      from.delete(name)
      this.#forgotten.add(name)
      this.#bytes -= entry.bytes
    }
  }
}

const nameOf = ({ topic, partition }: Place): string => `${topic}/${partition}`

/** `undefined` for keys of other versions. */
function chunkKeyOf(key: Buffer): MapChunkKey | undefined {
  try {
    return decodeMapKey(key)
  } catch {
    return undefined
  }
}
