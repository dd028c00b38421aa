import type { CoarseSpan, ExactRun, OffsetMap } from '../offsets/offset-map.ts'

/** Parts kept over all partitions, some 100 bytes each; what was told first is forgotten first. */
const PARTS_MAX = 100_000

interface Told {
  readonly name: string
  readonly span: CoarseSpan
  readonly parts: readonly (ExactRun | CoarseSpan)[]
}

/** What logs told of coarse spans. The target's map goes on without it: whoever reads that anew puts it back. */
export class RefinedSpans {
  /** In the order in which it was told: parts of parts come later. */
  #told: Told[] = []
  #parts = 0
  readonly #done = new WeakSet<OffsetMap>()

  /** @param name of the partition, with the ids of its topics */
  keep(name: string, span: CoarseSpan, parts: Told['parts']): void {
    this.#told.push({ name, span, parts })
    this.#parts += parts.length
    while (this.#parts > PARTS_MAX) this.#parts -= this.#told.shift()?.parts.length ?? 0
  }

  /** Forgets what the map has no place for any more. */
  putBack(name: string, map: OffsetMap): void {
    if (this.#done.has(map)) return
    this.#done.add(map)
    this.#told = this.#told.filter((one) => one.name !== name || map.refined(one.span, one.parts))
    this.#parts = this.#told.reduce((sum, { parts }) => sum + parts.length, 0)
  }
}
