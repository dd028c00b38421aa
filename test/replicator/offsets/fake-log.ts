import { protocolError } from '../../../replicator/kafka/errors.ts'
import type { VisitedBatch, WalkEnd, WalkRequest } from '../../../replicator/logs/log-walk.ts'
import type { CoarseSpan, ExactRun } from '../../../replicator/offsets/offset-map.ts'
import type { WalkedLog } from '../../../replicator/offsets/refine-span.ts'
import { lastOffset } from '../../../replicator/records/batch-header.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import { visitedRecords } from '../shards/visited-batches.ts'

const s = (value: number) => sourceOffset(BigInt(value))
const t = (value: number) => targetOffset(BigInt(value))
export const span = (
  sourceFrom: number,
  sourceTo: number,
  targetFrom: number,
  targetTo: number,
): CoarseSpan => ({
  sourceFrom: s(sourceFrom),
  sourceTo: s(sourceTo),
  targetFrom: t(targetFrom),
  targetTo: t(targetTo),
})
export const run = (source: number, target: number, count: number): ExactRun => ({
  source: s(source),
  target: t(target),
  count,
})

/** The flow's producer. */
export const us = { producerId: 9n, producerEpoch: 1 }
/** Whose records are none of ours. */
export const theirs = 5n

/** A log of these batches that begins and ends with them, and what was asked of it. */
export class FakeLog implements WalkedLog {
  readonly topic = 'orders'
  readonly partition = 0
  readonly asked: WalkRequest[] = []
  visits = 0
  readonly #batches: readonly VisitedBatch[]
  readonly #start: bigint

  constructor(batches: readonly VisitedBatch[], start = 0) {
    this.#batches = batches
    this.#start = BigInt(start)
  }

  get #end(): bigint {
    const last = this.#batches.at(-1)
    return last === undefined ? this.#start : lastOffset(last.raw.buffer, last.raw.at) + 1n
  }

  readonly walks = {
    bounds: async () => ({ start: this.#start, end: this.#end }),
    walk: async (request: WalkRequest, signal: AbortSignal): Promise<WalkEnd> => {
      this.asked.push(request)
      await Promise.resolve()
      signal.throwIfAborted()
      const { from, visit, prepare } = request
      if (from < this.#start || from > this.#end)
        throw protocolError(1, {
          cluster: regionAlias('us-east'),
          topic: this.topic,
          partition: this.partition,
        })
      for (const batch of this.#batches) {
        if (lastOffset(batch.raw.buffer, batch.raw.at) < from) continue
        await prepare?.(batch.raw.buffer, signal)
        this.visits += 1
        if (visit(batch) === 'enough') return { kind: 'enough', next: 0n, logStart: this.#start }
      }
      return { kind: 'end', next: this.#end, logStart: this.#start }
    },
  }
}

/** Of a client of the log's own cluster. */
export const records = (base: number, count: number, producerId = -1n, verdict?: VisitedBatch['verdict']) =>
  visitedRecords(count, { baseOffset: BigInt(base), producerId }, verdict)
/** Written by {@link us}. */
export const copies = (base: number, count: number, baseSequence: number) =>
  visitedRecords(count, { ...us, baseOffset: BigInt(base), baseSequence })
