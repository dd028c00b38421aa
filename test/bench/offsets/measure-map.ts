/** What an offset map of many runs costs: memory, time and bytes in its topic. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type MapRecord, planChunks } from '../../../replicator/offsets/map-chunks.ts'
import { OffsetMap } from '../../../replicator/offsets/offset-map.ts'
import { readChunks } from '../../../replicator/offsets/read-chunks.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import type { FlowId } from '../../../replicator/topology/model.ts'
import { percentile } from '../statistics.ts'
import { chanceOf, type PatternName, patternRuns } from './patterns.ts'

/** Records of a batch: runs arrive in acknowledgements of at most so many. */
const BATCH_RECORDS_MAX = 500

const key = { flow: 'us-east->eu-west' as FlowId, topic: 'orders', partition: 7 }
const ids = { topicId: 'YXNkZmFzZGZhc2RmYXNkZg', targetTopicId: 'cXdlcnF3ZXJxd2VycXdlcg' }

export interface Acknowledged {
  readonly map: OffsetMap
  readonly records: number
  readonly acknowledgements: number
}

/** A map of so many runs, told of batch by batch. */
export function acknowledge(pattern: PatternName, runs: number): Acknowledged {
  const map = new OffsetMap({ source: sourceOffset(0n), target: targetOffset(0n) })
  let [source, target, records, acknowledgements] = [0, 0, 0, 0]
  for (const run of patternRuns(pattern, runs)) {
    source += run.sourceGap
    target += run.targetGap
    for (let left = run.count; left > 0; ) {
      const count = Math.min(left, BATCH_RECORDS_MAX)
      map.append({ source: sourceOffset(BigInt(source)), target: targetOffset(BigInt(target)), count })
      source += count
      target += count
      records += count
      left -= count
      acknowledgements += 1
    }
  }
  return { map, records, acknowledgements }
}

/** Bytes that JavaScript holds, on and off its heap, once garbage is gone. */
export function residentBytes(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

export interface LookupTimes {
  readonly p50Us: number
  readonly p99Us: number
}

/** Single look-ups at random positions, a half of them in each direction. */
export function timeLookups(map: OffsetMap, lookups: number): LookupTimes {
  const chance = chanceOf(7)
  const { source, target } = map.end
  const sources = Array.from({ length: lookups }, () =>
    sourceOffset(BigInt(Math.floor(chance() * Number(source)))),
  )
  const targets = sources.map(() => targetOffset(BigInt(Math.floor(chance() * Number(target)))))
  const timesUs = new Float64Array(lookups)
  for (let k = 0; k < lookups; k++) {
    const from = process.hrtime.bigint()
    const told = k % 2 === 0 ? map.translate(sources[k]!) : map.translateBack(targets[k]!)
    timesUs[k] = Number(process.hrtime.bigint() - from) / 1000
    if (told.kind !== 'exact') throw new Error(`A look-up told ${told.kind}`)
  }
  timesUs.sort()
  return { p50Us: percentile(timesUs, 0.5), p99Us: percentile(timesUs, 0.99) }
}

/** The map as records of its topic. */
export function written(map: OffsetMap): readonly MapRecord[] {
  return planChunks(new Map(), map, { key, ids }).records
}

/** And read from them. @throws Error when it is not the same */
export function readAgain(records: readonly MapRecord[], map: OffsetMap): OffsetMap {
  const read = readChunks(new Map(records.map(({ value }, chunk) => [chunk, value!])), ids).map
  if (read?.size !== map.size || read.end.source !== map.end.source)
    throw new Error('The map was read otherwise')
  return read
}

/** Bytes of the records' values per run, and with their keys. */
export function bytesPerRun(records: readonly MapRecord[], runs: number) {
  const bytes = (of: (record: MapRecord) => Buffer | null) =>
    records.reduce((sum, record) => sum + (of(record)?.length ?? 0), 0)
  const values = bytes(({ value }) => value)
  return { values: values / runs, withKeys: (values + bytes((record) => record.key)) / runs }
}
