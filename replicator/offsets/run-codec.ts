import { MapFormatError } from './map-format-error.ts'
import { OFFSET_MAX, type Point, type Span } from './span.ts'
import { VarintReader, VarintWriter } from './varints.ts'

/** Spans in order, and the stretch they speak of: from `start` to `end` there are no other copies. */
export interface Stretch {
  readonly start: Point
  readonly end: Point
  readonly spans: readonly Span[]
}

const VERSION = 1

/*
 * version, start.source, start.target, number of spans, spans, end.source - last, end.target - last
 *
 * A span is a byte, and what does not fit into it, as unsigned varints in this order:
 *
 *   bit 0      1: coarse
 *   bits 1-2   offsets between it and the one before (or the start), on the source: 0 to 2; 3: a varint follows
 *   bits 3-4   the same on the target
 *   bits 5-7   exact: number of records, 1 to 7; 0: a varint follows. Coarse: 0; both lengths follow
 *
 * Every stretch has one encoding: what could be shorter is refused, so that damage is more likely to be seen.
 */
const COARSE = 1
const GAP_FOLLOWS = 3
const COUNT_MAX = 7
const SOURCE_SHIFT = 1
const TARGET_SHIFT = 3
const COUNT_SHIFT = 5

/** Two or three bytes a run where markers, or records of others, come between; never more than 25. */
export function encodeRuns({ start, end, spans }: Stretch): Buffer {
  const writer = new VarintWriter()
  writer.byte(VERSION)
  writer.varint(start.source)
  writer.varint(start.target)
  writer.varint(spans.length)
  let { source, target } = start
  for (const span of spans) {
    writeSpan(writer, span, span.sourceFrom - source, span.targetFrom - target)
    source = span.sourceTo
    target = span.targetTo
  }
  writer.varint(end.source - source)
  writer.varint(end.target - target)
  return writer.bytes
}

function writeSpan(writer: VarintWriter, span: Span, sourceGap: number, targetGap: number): void {
  const count = span.sourceTo - span.sourceFrom
  const short = span.isExact && count <= COUNT_MAX
  writer.byte(
    (span.isExact ? 0 : COARSE) |
      (Math.min(sourceGap, GAP_FOLLOWS) << SOURCE_SHIFT) |
      (Math.min(targetGap, GAP_FOLLOWS) << TARGET_SHIFT) |
      (short ? count << COUNT_SHIFT : 0),
  )
  if (sourceGap >= GAP_FOLLOWS) writer.varint(sourceGap)
  if (targetGap >= GAP_FOLLOWS) writer.varint(targetGap)
  if (!short) writer.varint(count)
  if (!span.isExact) writer.varint(span.targetTo - span.targetFrom)
}

/** @throws MapFormatError when the bytes are not exactly one stretch of a known version */
export function decodeRuns(bytes: Buffer): Stretch {
  const reader = new VarintReader(bytes)
  const version = reader.byte()
  if (version !== VERSION) {
    throw new MapFormatError(`runs of version ${version}; this program knows version ${VERSION}`, {
      isNewer: version > VERSION,
    })
  }
  const start = { source: reader.varint(), target: reader.varint() }
  const count = reader.varint()
  // A span takes a byte at least: no damaged number makes us wait or takes memory.
  if (count > bytes.length) throw new MapFormatError(`${count} spans in ${bytes.length} bytes`)
  const spans: Span[] = []
  let at = start
  for (let index = 0; index < count; index++) {
    const span = readSpan(reader, at)
    spans.push(span)
    at = { source: span.sourceTo, target: span.targetTo }
  }
  const end = { source: within(at.source + reader.varint()), target: within(at.target + reader.varint()) }
  reader.finish()
  return { start, end, spans }
}

function readSpan(reader: VarintReader, at: Point): Span {
  const tag = reader.byte()
  const isExact = (tag & COARSE) === 0
  const sourceFrom = within(at.source + readGap(reader, (tag >> SOURCE_SHIFT) & GAP_FOLLOWS))
  const targetFrom = within(at.target + readGap(reader, (tag >> TARGET_SHIFT) & GAP_FOLLOWS))
  const short = tag >> COUNT_SHIFT
  if (!isExact && short > 0) throw new MapFormatError(`a coarse span with tag ${tag}`)
  const sourceCount = short > 0 ? short : reader.varint()
  const targetCount = isExact ? sourceCount : reader.varint()
  if (sourceCount === 0 || targetCount === 0) throw new MapFormatError('a span that holds nothing')
  if (isExact && short === 0 && sourceCount <= COUNT_MAX) throw new MapFormatError('a count could be shorter')
  return {
    sourceFrom,
    sourceTo: within(sourceFrom + sourceCount),
    targetFrom,
    targetTo: within(targetFrom + targetCount),
    isExact,
  }
}

function readGap(reader: VarintReader, short: number): number {
  if (short < GAP_FOLLOWS) return short
  const gap = reader.varint()
  if (gap < GAP_FOLLOWS) throw new MapFormatError('a gap could be shorter')
  return gap
}

function within(offset: number): number {
  if (offset > OFFSET_MAX) throw new MapFormatError('an offset of 2^53 or more')
  return offset
}
