import type { Random } from '../../../replicator/clock/random.ts'
import type { CopiedPartition } from '../../../replicator/flow/shard-companion.ts'
import { MapChunkIndex } from '../../../replicator/offsets/map-chunk-index.ts'
import type { MapTopicIds } from '../../../replicator/offsets/map-chunks.ts'
import type { OffsetMap } from '../../../replicator/offsets/offset-map.ts'
import { readChunks } from '../../../replicator/offsets/read-chunks.ts'
import { isControl } from '../../../replicator/records/batch-header.ts'
import type { FlowId } from '../../../replicator/topology/model.ts'
import type { StoredBatch } from '../partition-log.ts'
import { readRecords } from '../record-batches.ts'
import type { CopyChecker } from './copy-checker.ts'
import { judgeMap } from './map-checker.ts'
import type { Side } from './plan.ts'
import { Violation } from './violation.ts'

export interface MapScene {
  readonly flow: FlowId
  readonly random: Random
  readonly copyOf: (topic: string, partition: number) => CopyChecker
  /** Ids of a topic and its copy as they are now. */
  readonly idsOf: (topic: string) => MapTopicIds
  /** Whether the source topic is another one than the one that was copied. */
  readonly isRecreated: (topic: string) => boolean
  /** What every process that still runs, or is stopped, says that it copies. */
  readonly running: () => Iterable<CopiedPartition>
}

/** Positions of each side that are asked about when a map in a process is looked at. */
const ASKED_AT_ONCE = 6
/** A log that is no longer than this is asked about whole. */
const WHOLE_MAX = 200
/** How many moments pass between two looks into processes. */
const MOMENTS = { from: 60, to: 240 }

/** Asks the offset maps: those in processes now and then, and what is written of them whenever something is. */
export class MapWatch {
  readonly #scene: MapScene
  /** By partition of the map topic. */
  readonly #written = new Map<string, MapChunkIndex>()
  #momentsLeft = 0
  /** Positions that were asked about. */
  asked = 0

  constructor(scene: MapScene) {
    this.#scene = scene
  }

  /** A batch appeared in a partition of the map topic. @throws Violation */
  saw(mapPartition: string, { bytes }: StoredBatch): void {
    if (isControl(bytes, 0)) return
    const index = this.#written.get(mapPartition) ?? new MapChunkIndex(this.#scene.flow)
    this.#written.set(mapPartition, index)
    const places = new Map<string, { topic: string; partition: number }>()
    for (const { key, value } of readRecords(bytes)) {
      index.add({ key, value })
      const { topic, partition } = JSON.parse(String(key)) as { topic: string; partition: number }
      places.set(`${topic}/${partition}`, { topic, partition })
    }
    for (const place of places.values()) this.#judgeWritten(mapPartition, place)
  }

  /** One more moment: now and then it is one to look into a process. @throws Violation */
  look(): void {
    this.#momentsLeft -= 1
    if (this.#momentsLeft > 0) return
    const { random, running } = this.#scene
    this.#momentsLeft = MOMENTS.from + Math.floor(random.next() * (MOMENTS.to - MOMENTS.from))
    const whole = [...running()].filter(({ map }) => map !== undefined)
    const one = whole[Math.floor(random.next() * whole.length)]
    if (one?.map !== undefined) this.#judge(`the map of ${placeOf(one)}`, one, one.map, ASKED_AT_ONCE)
  }

  /** What no running process has the map of, up to the last copied record. */
  unfinished(isExpected: (place: string) => boolean, copies: Iterable<CopyChecker>): string | undefined {
    const reached = new Map<string, bigint>()
    for (const one of this.#scene.running()) {
      if (one.map === undefined) continue
      this.#judge(`the map of ${placeOf(one)}`, one, one.map, WHOLE_MAX)
      reached.set(placeOf(one), one.map.end.source)
    }
    for (const { place, pairs } of copies) {
      const last = pairs.at(-1)
      if (last === undefined || !isExpected(place) || (reached.get(place) ?? 0n) > last.source) continue
      return `${place}: no map reaches ${last.source}; it is ${reached.has(place) ? `at ${reached.get(place)}` : 'not there'}`
    }
    return undefined
  }

  /** Reads everything that is written, as it is by now, once more. @throws Violation */
  judgeAllWritten(
    partitions: readonly { readonly name: string; readonly batches: readonly StoredBatch[] }[],
  ) {
    for (const { name, batches } of partitions) {
      this.#written.delete(name)
      for (const batch of batches) this.saw(name, batch)
    }
  }

  #judgeWritten(mapPartition: string, place: { topic: string; partition: number }): void {
    const where = `${mapPartition}, of ${placeOf(place)}`
    const { idsOf, isRecreated } = this.#scene
    const chunks = this.#written.get(mapPartition)?.of(place) ?? new Map<number, Buffer>()
    const { map, damaged } = readChunks(chunks, idsOf(place.topic))
    for (const { chunk, reason } of damaged) throw new Violation('map', `${where}, chunk ${chunk}: ${reason}`)
    if (map === undefined) return
    if (isRecreated(place.topic)) throw new Violation('map', `${where}: it speaks of a former topic`)
    this.#judge(where, place, map, WHOLE_MAX)
  }

  #judge(
    where: string,
    { topic, partition }: { topic: string; partition: number },
    map: OffsetMap,
    most: number,
  ): void {
    const { pairs } = this.#scene.copyOf(topic, partition)
    const positions = (side: Side): readonly bigint[] => this.#positions(Number(map.end[side]) + 3, most)
    const asked = { source: positions('source'), target: positions('target') }
    this.asked += asked.source.length + asked.target.length
    judgeMap(where, map, pairs, asked)
  }

  /** All of them below an offset, or as many as are wanted by chance; ascending. */
  #positions(below: number, most: number): readonly bigint[] {
    if (below <= most) return Array.from({ length: below }, (_, at) => BigInt(at))
    const chosen = Array.from({ length: most }, () => Math.floor(this.#scene.random.next() * below))
    return chosen.sort((a, b) => a - b).map((at) => BigInt(at))
  }
}

const placeOf = ({ topic, partition }: { readonly topic: string; readonly partition: number }): string =>
  `${topic}/${partition}`
