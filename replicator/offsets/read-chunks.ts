import { allOutdated, decodeMapValue, type MapTopicIds, type WrittenChunks } from './map-chunks.ts'
import { MapFormatError } from './map-format-error.ts'
import { OffsetMap } from './offset-map.ts'
import { BLOCK_SPANS_MAX, RunBlock } from './run-block.ts'
import { decodeRuns, type Stretch } from './run-codec.ts'
import { RunStore } from './run-store.ts'
import { earlierOf, endOf, isUpTo, laterOf, type Point, type Span, startOf } from './span.ts'

/** What the map topic tells of a partition. */
export interface ReadChunks {
  /** `undefined` when no chunk speaks of these topics. Append what was copied since its end as a coarse span. */
  readonly map: OffsetMap | undefined
  /** What the next {@link planChunks} goes by. */
  readonly written: WrittenChunks
  /** Chunks that could not be read, and why. What they spoke of is a coarse span, or not in the map. */
  readonly damaged: readonly { readonly chunk: number; readonly reason: string }[]
}

/** A chunk, or what later ones left of it. */
interface Piece {
  /** `undefined` for what is in no chunk. */
  readonly chunk: number | undefined
  readonly start: Point
  readonly end: Point
  readonly block: RunBlock
}

/**
 * Puts a partition's chunks together.
 *
 * @param chunks values by chunk number, in the order of their records in the log (delete a number before it is set
 *   again): where two speak of the same stretch, which a crash in the middle of rewriting leaves, the later one counts
 * @param ids of the topics as they are now: chunks of others are left out, and deleted by the next plan
 * @param blockSpansMax spans that a block may hold before the next begins; smaller ones are for tests
 * @throws MapFormatError when a newer Causeway wrote a chunk, or chunks contradict each other: then nothing of it is
 *   to be believed
 */
export function readChunks(
  chunks: ReadonlyMap<number, Buffer>,
  ids: MapTopicIds,
  blockSpansMax = BLOCK_SPANS_MAX,
): ReadChunks {
  const pieces: Piece[] = []
  const damaged: { chunk: number; reason: string }[] = []
  let nextId = 0
  for (const [chunk, bytes] of chunks) {
    nextId = Math.max(nextId, chunk + 1)
    try {
      const { ids: of, runs } = decodeMapValue(bytes)
      if (isSameTopic(of.topicId, ids.topicId) && isSameTopic(of.targetTopicId, ids.targetTopicId)) {
        pieces.push(pieceOf(chunk, decodeRuns(runs), blockSpansMax))
      }
    } catch (error) {
      if (!(error instanceof MapFormatError) || error.isNewer) throw error
      damaged.push({ chunk, reason: error.message })
    }
  }
  const chain = chainOf(pieces)
  const written = new Map(allOutdated(chunks.keys()))
  const asWritten = new Set(pieces.map(({ block }) => block))
  const blocks = chain.map(({ chunk, block, start }) => {
    if (chunk !== undefined && asWritten.has(block)) {
      written.set(chunk, block.revision)
      return block
    }
    return RunBlock.of(chunk ?? nextId++, start, 1, [...block.spans()], blockSpansMax)
  })
  const last = chain.at(-1)
  return {
    map:
      last === undefined ? undefined : new OffsetMap(new RunStore(last.end, blocks, nextId, blockSpansMax)),
    written,
    damaged,
  }
}

const isSameTopic = (one: string | undefined, other: string | undefined): boolean =>
  one === undefined || other === undefined || one === other

const pieceOf = (
  chunk: number | undefined,
  { start, end, spans }: Stretch,
  blockSpansMax?: number,
): Piece => ({ chunk, start, end, block: RunBlock.of(chunk ?? 0, start, 0, spans, blockSpansMax) })

/** Pieces in order, each beginning where the one before ends. */
function chainOf(pieces: readonly Piece[]): readonly Piece[] {
  const sorted = inOrder(pieces)
  const apart = isApart(sorted) ? sorted : inOrder(overruled(pieces))
  if (!isApart(apart)) throw new MapFormatError('chunks contradict each other')
  return apart.flatMap((piece, index) => {
    const next = apart[index + 1]?.start
    if (next === undefined || (next.source === piece.end.source && next.target === piece.end.target))
      return [piece]
    return [piece, pieceOf(undefined, unknownBetween(piece.end, next))]
  })
}

const inOrder = (pieces: readonly Piece[]): readonly Piece[] =>
  pieces.toSorted(
    (one, other) => one.start.source - other.start.source || one.start.target - other.start.target,
  )

const isApart = (sorted: readonly Piece[]): boolean =>
  sorted.every(({ start }, index) => index === 0 || isUpTo(sorted[index - 1]!.end, start))

/** A stretch of which nothing is known but where it lies. */
function unknownBetween(start: Point, end: Point): Stretch {
  const isEmpty = start.source === end.source || start.target === end.target
  const span = {
    sourceFrom: start.source,
    sourceTo: end.source,
    targetFrom: start.target,
    targetTo: end.target,
    isExact: false,
  }
  return { start, end, spans: isEmpty ? [] : [span] }
}

/** What is left of each piece beside the later ones. */
function overruled(pieces: readonly Piece[]): readonly Piece[] {
  let result: Piece[] = []
  for (const later of pieces) result = [...result.flatMap((piece) => beside(piece, later)), later]
  return result
}

function beside(piece: Piece, later: Piece): readonly Piece[] {
  if (isUpTo(piece.end, later.start) || isUpTo(later.end, piece.start)) return [piece]
  const before = earlierOf(piece.end, laterOf(piece.start, later.start))
  const after = laterOf(piece.start, earlierOf(piece.end, later.end))
  const parts = [cut(piece, piece.start, before, piece.chunk), cut(piece, after, piece.end, undefined)]
  return parts.filter((part) => part !== undefined)
}

/** The part of a piece between two points, both true of the copy; `undefined` if there is nothing between. */
function cut(piece: Piece, start: Point, end: Point, chunk: number | undefined): Piece | undefined {
  if (start.source === end.source && start.target === end.target) return undefined
  const spans = [...piece.block.spans()].flatMap((span) => within(span, start, end))
  return pieceOf(chunk, { start, end, spans })
}

function within(span: Span, start: Point, end: Point): readonly Span[] {
  const from = laterOf(startOf(span), start)
  const to = earlierOf(endOf(span), end)
  const source = to.source - from.source
  const target = to.target - from.target
  if (span.isExact) {
    if (source <= 0 && target <= 0) return []
    if (source !== target) throw new MapFormatError('chunks contradict each other within a run')
  } else if (source <= 0 || target <= 0) return []
  return [
    {
      sourceFrom: from.source,
      sourceTo: to.source,
      targetFrom: from.target,
      targetTo: to.target,
      isExact: span.isExact,
    },
  ]
}
