import { z } from 'zod'
import type { FlowId } from '../topology/model.ts'
import { MapFormatError } from './map-format-error.ts'
import type { OffsetMap } from './offset-map.ts'
import { encodeRuns } from './run-codec.ts'
import { VarintReader, VarintWriter } from './varints.ts'

/** Which source partition a record of the map topic speaks of. */
export interface MapKey {
  readonly flow: FlowId
  readonly topic: string
  readonly partition: number
}

/** One of a partition's records in the map topic. */
export interface MapChunkKey extends MapKey {
  /** Chunks are numbered as they come to be; their order is told by what they hold. */
  readonly chunk: number
}

/** The topics' ids, to notice that one was re-created; `undefined` on brokers without ids. */
export interface MapTopicIds {
  readonly topicId: string | undefined
  readonly targetTopicId: string | undefined
}

/** A record for the map topic; `value` is `null` where a chunk is no more. */
export interface MapRecord {
  readonly key: Buffer
  readonly value: Buffer | null
}

/** Which chunks the map topic holds, and in which state of their block: what {@link planChunks} goes by. */
export type WrittenChunks = ReadonlyMap<number, number>

/** Of a chunk in the topic that says something else than the map does now; no block has it. */
const OUTDATED = -1

/** When the chunks of a partition are not to be believed: the next plan writes over them or deletes them. */
export function allOutdated(chunks: Iterable<number>): WrittenChunks {
  return new Map([...chunks].map((chunk) => [chunk, OUTDATED]))
}

const VERSION = 1
const keySchema = z.object({
  v: z.literal(VERSION),
  flow: z.string(),
  topic: z.string(),
  partition: z.number().int().min(0),
  chunk: z.number().int().min(0),
})

/** JSON with a version, members in fixed order: the cleaner compares keys byte by byte. */
export function encodeMapKey({ flow, topic, partition, chunk }: MapChunkKey): Buffer {
  return Buffer.from(JSON.stringify({ v: VERSION, flow, topic, partition, chunk }))
}

/** @throws Error when the bytes are not a key of a known version */
export function decodeMapKey(bytes: Buffer): MapChunkKey {
  const { flow, topic, partition, chunk } = keySchema.parse(JSON.parse(bytes.toString()))
  return { flow: flow as FlowId, topic, partition, chunk }
}

/** A version, both ids as texts, then {@link encodeRuns}. */
export function encodeMapValue(ids: MapTopicIds, runs: Buffer): Buffer {
  const writer = new VarintWriter()
  writer.byte(VERSION)
  writer.text(ids.topicId ?? '')
  writer.text(ids.targetTopicId ?? '')
  writer.raw(runs)
  return writer.bytes
}

/** @throws MapFormatError when the bytes are no value of a known version; the runs are not looked at */
export function decodeMapValue(bytes: Buffer): { readonly ids: MapTopicIds; readonly runs: Buffer } {
  const reader = new VarintReader(bytes)
  const version = reader.byte()
  if (version !== VERSION) {
    throw new MapFormatError(`a chunk of version ${version}; this program knows version ${VERSION}`, {
      isNewer: version > VERSION,
    })
  }
  const [topicId, targetTopicId] = [reader.text(), reader.text()]
  return {
    ids: {
      topicId: topicId === '' ? undefined : topicId,
      targetTopicId: targetTopicId === '' ? undefined : targetTopicId,
    },
    runs: reader.rest(),
  }
}

export interface PlanOptions {
  readonly key: MapKey
  readonly ids: MapTopicIds
  /**
   * Whether the last chunk, which still grows, is written again; the others always are when they changed. What is not
   * written of it becomes a coarse span after a crash. Default: true.
   */
  readonly withLast?: boolean
}

export interface ChunkPlan {
  /** To be appended in this order, all to one partition of the map topic. */
  readonly records: readonly MapRecord[]
  /** What the topic holds once all of them are. */
  readonly written: WrittenChunks
  /** What it may hold when that failed on the way: all of them are written again by the next plan. */
  readonly writtenInPart: WrittenChunks
}

/**
 * What must be written so that the topic tells what the map knows. A block of the map is a chunk: the last is written
 * again as it grows, until it is full; merged, refined and forgotten ones are written again, or deleted. What retention
 * cut off at the start of a chunk is not worth writing it again.
 *
 * A crash after any of the records leaves the truth: {@link readChunks} lets later records overrule earlier ones and
 * takes what no chunk speaks of for a coarse span. New chunks come first and deletions last, so that little becomes one.
 */
export function planChunks(
  before: WrittenChunks,
  map: OffsetMap,
  { key, ids, withLast = true }: PlanOptions,
): ChunkPlan {
  const fresh: MapRecord[] = []
  const changed: MapRecord[] = []
  const written = new Map<number, number>()
  const writtenInPart = new Map(before)
  const blocks = [...map.blocks()]
  for (const [index, { block, end }] of blocks.entries()) {
    const { id, revision, start } = block
    const former = before.get(id)
    if (former === revision || (!withLast && index === blocks.length - 1)) {
      if (former !== undefined) written.set(id, former)
      continue
    }
    const runs = encodeRuns({ start, end, spans: [...block.spans()] })
    const record = { key: encodeMapKey({ ...key, chunk: id }), value: encodeMapValue(ids, runs) }
    ;(former === undefined ? fresh : changed).push(record)
    written.set(id, revision)
    writtenInPart.set(id, OUTDATED)
  }
  const kept = new Set(blocks.map(({ block }) => block.id))
  const gone = [...before.keys()]
    .filter((chunk) => !kept.has(chunk))
    .map((chunk) => ({ key: encodeMapKey({ ...key, chunk }), value: null }))
  return { records: [...fresh, ...changed, ...gone], written, writtenInPart }
}
