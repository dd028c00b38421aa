/**
 * Offsets `from` to `to` (exclusive) of which `min` to `max` hold, or held, a copied record. All of them where `min` is
 * their number: then it is known which.
 */
export interface Piece {
  readonly from: number
  readonly to: number
  readonly min: number
  readonly max: number
}

/**
 * What one log tells of a stretch of its offsets: pieces in order; beside them nothing was copied. Its memory is that of
 * its pieces, whatever the number of records.
 */
export class Stretch {
  readonly #pieces: Piece[] = []

  get pieces(): readonly Piece[] {
    return this.#pieces
  }

  /** Every offset of these was copied. */
  addCopied(from: number, to: number): void {
    this.add({ from, to, min: to - from, max: to - from })
  }

  /** Nobody knows how many of these were copied. */
  addUnknown(from: number, to: number): void {
    this.add({ from, to, min: 0, max: to - from })
  }

  add(piece: Piece): void {
    if (piece.to <= piece.from || piece.max <= 0) return
    const last = this.#pieces.at(-1)
    const joined = last && last.to === piece.from ? joinedOf(last, piece) : undefined
    if (joined === undefined) this.#pieces.push(piece)
    else this.#pieces[this.#pieces.length - 1] = joined
  }
}

const isKnown = ({ from, to, min }: Piece): boolean => min === to - from
const isUnknown = ({ from, to, min, max }: Piece): boolean => min === 0 && max === to - from

/** Neighbours that lose nothing as one piece. */
function joinedOf(one: Piece, next: Piece): Piece | undefined {
  if (isKnown(one) && isKnown(next)) {
    const count = next.to - one.from
    return { from: one.from, to: next.to, min: count, max: count }
  }
  if (!isUnknown(one) || !isUnknown(next)) return undefined
  return { from: one.from, to: next.to, min: 0, max: next.to - one.from }
}
