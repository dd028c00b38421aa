import { sequenceAfter, sequenceDistance } from '../records/batch-header.ts'
import { type Piece, Stretch } from './stretch.ts'

/** What counting needs of a target batch: offsets `base` to `next` (exclusive). */
export interface TargetBatch {
  readonly base: number
  readonly next: number
  /** `undefined`: not of this flow (a marker, somebody else's records). */
  readonly producer: CopyProducer | undefined
}

/** Who wrote a batch of ours; -1 of all three where it was not idempotent. */
export interface CopyProducer {
  readonly producerId: bigint
  readonly producerEpoch: number
  /** Of the batch's first record. */
  readonly baseSequence: number
}

/** A producer's place behind a batch. */
interface Place {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly sequence: number
}

interface Gap {
  readonly from: number
  readonly to: number
}

/**
 * Which offsets of a target stretch hold, or held, copies. A batch of ours was dense when it was written, so each of its
 * offsets is one, compacted or not. How many of the offsets that are missing altogether were, the sequence numbers of
 * the batches around them tell: those of one producer epoch follow each other, and a new epoch begins with 0 in every
 * partition.
 */
export class TargetStretch {
  readonly #stretch = new Stretch()
  readonly #to: number
  readonly #from: number
  /** Behind the last batch of ours. */
  #place: Place | undefined
  /** What is missing since the last batch of ours: inside the stretch, and how many offsets behind it. */
  #gaps: Gap[] = []
  #missingBehind = 0
  #next: number
  #isContradicted = false

  constructor(from: number, to: number) {
    this.#from = from
    this.#next = from
    this.#to = to
  }

  /** Up to where batches were added. */
  get reached(): number {
    return Math.min(this.#next, this.#to)
  }

  /** Sequence numbers do not follow each other, although nothing is missing that would explain it. */
  get isContradicted(): boolean {
    return this.#isContradicted
  }

  get size(): number {
    return this.#stretch.pieces.length + this.#gaps.length
  }

  /**
   * In order. A batch that ends where the stretch begins tells the sequence number there; one behind the stretch is
   * wanted only while something is missing that it may tell of.
   */
  add({ base, next, producer }: TargetBatch): 'on' | 'enough' {
    if (next > this.#from) this.#addMissing(base)
    if (producer !== undefined) {
      this.#fillGaps(producer)
      this.#stretch.addCopied(Math.max(base, this.#from), Math.min(next, this.#to))
      const { producerId, producerEpoch, baseSequence } = producer
      this.#place = { producerId, producerEpoch, sequence: sequenceAfter(baseSequence, next - base) }
    }
    this.#next = Math.max(this.#next, next)
    return this.#next >= this.#to && this.#gaps.length === 0 ? 'enough' : 'on'
  }

  /** What was not reached is unknown. */
  pieces(): readonly Piece[] {
    if (this.#next < this.#to) this.#gaps.push({ from: this.#next, to: this.#to })
    this.#next = Math.max(this.#next, this.#to)
    for (const { from, to } of this.#gaps) this.#stretch.addUnknown(from, to)
    this.#gaps = []
    return this.#stretch.pieces
  }

  #addMissing(base: number): void {
    if (base <= this.#next) return
    if (this.#next < this.#to) this.#gaps.push({ from: this.#next, to: Math.min(base, this.#to) })
    this.#missingBehind += Math.max(0, base - Math.max(this.#next, this.#to))
  }

  /** A batch of ours comes after what is missing. */
  #fillGaps(producer: CopyProducer): void {
    const gaps = this.#gaps
    const missing = gaps.reduce((sum, { from, to }) => sum + to - from, 0)
    const { min, max } = this.#removedBefore(producer, missing + this.#missingBehind)
    if (min > missing + this.#missingBehind) this.#isContradicted = true
    const least = Math.max(0, min - this.#missingBehind)
    const most = Math.min(max, missing)
    this.#gaps = []
    this.#missingBehind = 0
    const [first] = gaps
    const last = gaps.at(-1)
    if (first === undefined || last === undefined) return
    if (least >= missing) for (const { from, to } of gaps) this.#stretch.addCopied(from, to)
    else if (least === 0 && most === missing)
      for (const { from, to } of gaps) this.#stretch.addUnknown(from, to)
    else this.#stretch.add({ from: first.from, to: last.to, min: least, max: most })
  }

  /** How many of ours lay between the last batch of ours and this one. */
  #removedBefore({ producerId, producerEpoch, baseSequence }: CopyProducer, missing: number) {
    const place = this.#place
    if (place === undefined || baseSequence < 0 || place.sequence < 0) return { min: 0, max: missing }
    if (place.producerId !== producerId || place.producerEpoch !== producerEpoch)
      return { min: baseSequence, max: missing }
    const distance = sequenceDistance(place.sequence, baseSequence)
    return { min: distance, max: distance }
  }
}
