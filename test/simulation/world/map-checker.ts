import type {
  CoarseSpan,
  OffsetMap,
  OffsetPair,
  Translation,
} from '../../../replicator/offsets/offset-map.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import type { CopiedPair } from './copy-checker.ts'
import type { Side } from './plan.ts'
import { Violation } from './violation.ts'

/**
 * Judges what a map says of some positions by what was really copied.
 *
 * @param where whose map it is
 * @param pairs ascend on both sides
 * @param positions of either side, ascending
 * @throws Violation
 */
export function judgeMap(
  where: string,
  map: OffsetMap,
  pairs: readonly CopiedPair[],
  positions: Readonly<Record<Side, readonly bigint[]>>,
): void {
  const firm = pairs.some(({ record }) => record.isVague)
    ? pairs.filter(({ record }) => !record.isVague)
    : pairs
  judgePair(`${where} begins`, map.start, firm)
  judgePair(`${where} ends`, map.end, firm)
  judgeSide(where, 'source', map, { pairs, firm }, positions.source, (at) => map.translate(sourceOffset(at)))
  judgeSide(where, 'target', map, { pairs, firm }, positions.target, (at) =>
    map.translateBack(targetOffset(at)),
  )
}

interface Truth {
  readonly pairs: readonly CopiedPair[]
  /** Without those of which nobody can know. */
  readonly firm: readonly CopiedPair[]
}

/** Index of the first pair at or above a position. */
export function firstAbove(pairs: readonly CopiedPair[], side: Side, position: bigint): number {
  let low = 0
  let high = pairs.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (pairs[middle]![side] < position) low = middle + 1
    else high = middle
  }
  return low
}

/** Exactly the copied records below the one position lie below the other. */
function judgePair(where: string, { source, target }: OffsetPair, pairs: readonly CopiedPair[]): void {
  const below = firstAbove(pairs, 'source', source)
  if (below === firstAbove(pairs, 'target', target)) return
  throw new Violation('map', `${where} at ${source} -> ${target}, but ${around(pairs, below)}`)
}

function judgeSide(
  where: string,
  side: Side,
  map: OffsetMap,
  { pairs, firm }: Truth,
  positions: readonly bigint[],
  translate: (position: bigint) => Translation<bigint>,
): void {
  const other: Side = side === 'source' ? 'target' : 'source'
  let least = 0n
  let most = 0n
  for (const position of positions) {
    const told = translate(position)
    const index = firstAbove(firm, side, position)
    const fail = (why: string): never => {
      throw new Violation(
        'map',
        `${where}: ${side} position ${position} is ${textOf(told)}: ${why}; ${around(firm, index)}`,
      )
    }
    const below = firm[index - 1]?.[other]
    const next = firm[index]?.[other]
    const isRecord = (offset: bigint): boolean =>
      next === offset || (firm !== pairs && pairs[firstAbove(pairs, other, offset)]?.[other] === offset)
    const skips = (offset: bigint): boolean => next !== undefined && next < offset
    const repeats = (offset: bigint): boolean => below !== undefined && below >= offset
    if (told.kind === 'before-the-map') {
      if (position >= map.start[side]) fail('it is not')
    } else if (told.kind === 'not-copied-yet') {
      if (position <= map.end[side]) fail('it is')
    } else if (told.kind === 'exact') {
      if (skips(told.offset)) fail('it would skip')
      if (repeats(told.offset)) fail('it would repeat')
      if (told.isNextRecord && !isRecord(told.offset)) fail('that is not the next record')
      if (told.offset < least || told.offset < most) fail('a lower position is above')
      least = told.offset
      most = told.offset
    } else {
      if (skips(told.from)) fail('it would skip')
      if (repeats(told.to)) fail('its upper end would repeat')
      if (told.from >= told.to) fail('nothing is between')
      if (told.from < least || told.to < most) fail('a lower position is above')
      judgeSpan(told.span, firm, fail)
      least = told.from
      most = told.to
    }
  }
}

/** What was copied of its source's stretch lies in its target's, and the other way round. */
function judgeSpan(span: CoarseSpan, pairs: readonly CopiedPair[], fail: (why: string) => never): void {
  const from = firstAbove(pairs, 'source', span.sourceFrom)
  const to = firstAbove(pairs, 'source', span.sourceTo)
  if (from !== firstAbove(pairs, 'target', span.targetFrom)) fail('its span begins elsewhere on the target')
  if (to !== firstAbove(pairs, 'target', span.targetTo)) fail('its span ends elsewhere on the target')
}

const textOf = (told: Translation<bigint>): string =>
  JSON.stringify(told, (_, value) => (typeof value === 'bigint' ? Number(value) : value))

const around = (pairs: readonly CopiedPair[], index: number): string =>
  `copied there: ${pairs
    .slice(Math.max(0, index - 2), index + 2)
    .map(({ source, target }) => `${source} -> ${target}`)
    .join(', ')}`
