import type { Clock } from '../clock/clock.ts'
import type { BrokerChannel, BrokerId, FetchedPartition } from '../kafka/cluster.ts'
import { isRetriable, protocolError } from '../kafka/errors.ts'
import { AbortedFilter } from '../records/aborted.ts'
import { isControl, lastOffset } from '../records/batch-header.ts'
import { crcMatches } from '../records/crc.ts'
import { nextBatch, rawBatch } from '../records/record-batch.ts'
import type { LogWalksOptions, Walk } from './log-walk.ts'

const FETCH_BYTES_MAX = 8 * 1024 * 1024
const PARTITION_BYTES_MAX = 1024 * 1024
/** How long a broker may hold back an answer while every walk waits at its log's end, in milliseconds. */
const FETCH_WAIT_MAX_MS = 100
/** How long a walk waits for a leader if it does not say, in milliseconds. */
const LEADERLESS_MS = 30_000
const CORRUPT_MESSAGE = 2
/** The topic's id is not known to the broker, or not yet. */
const staleIds = [100, 103]

export interface WalkLaneCalls {
  /** These walks must look for their leader again. */
  readonly onMisplaced: (walks: readonly Walk[]) => void
  /** Nothing is left to walk; the lane has ended. */
  readonly onIdle: () => void
}

/** What a Fetch says besides the partition. With the leader's epoch no former leader answers for what it has not got. */
export interface WalkPlace {
  readonly topicId: string | undefined
  readonly leaderEpoch: number | undefined
}

/** The walks through one broker's partitions: fetched together, one request at a time. */
export class WalkLane {
  readonly #broker: BrokerId
  readonly #options: LogWalksOptions
  readonly #calls: WalkLaneCalls
  readonly #walks = new Map<Walk, WalkPlace>()
  #rotation = 0

  constructor(broker: BrokerId, options: LogWalksOptions, calls: WalkLaneCalls) {
    this.#broker = broker
    this.#options = options
    this.#calls = calls
  }

  add(walk: Walk, place: WalkPlace): void {
    this.#walks.set(walk, place)
  }

  remove(walk: Walk): void {
    this.#walks.delete(walk)
  }

  giveUp(reason: unknown): void {
    for (const walk of this.#walks.keys()) {
      walk.isOver = true
      walk.reject(reason)
    }
    this.#walks.clear()
  }

  /** Fetches until no walk is left. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    let channel: BrokerChannel | undefined
    try {
      // Walks that are begun in the same turn share the first request.
      await Promise.resolve()
      channel = await this.#options.cluster.openChannel(this.#broker, signal)
      while (this.#walks.size > 0) await this.#round(channel, signal)
    } catch (error) {
      if (signal.aborted) this.giveUp(signal.reason)
      else this.#failed(error)
    } finally {
      this.#calls.onIdle()
      channel?.destroy()
    }
  }

  #failed(error: unknown): void {
    if (!isRetriable(error)) {
      this.giveUp(error)
      return
    }
    const walks = [...this.#walks.keys()]
    this.#walks.clear()
    this.#calls.onMisplaced(walks)
  }

  async #round(channel: BrokerChannel, signal: AbortSignal): Promise<void> {
    // A request has one isolation; what is walked under the other one waits for its turn.
    const all = [...this.#walks.keys()]
    const first = all[this.#rotation++ % all.length]
    if (first === undefined) return
    const from = all.indexOf(first)
    const { isolation } = first.request
    const seen = new Set<string>()
    const walks = [...all.slice(from), ...all.slice(0, from)].filter((walk) => {
      const key = keyOf(walk.request)
      if (walk.request.isolation !== isolation || seen.has(key)) return false
      seen.add(key)
      return true
    })
    const { frame, partitions } = await channel.fetch(
      {
        partitions: walks.map((walk) => ({
          topic: walk.request.topic,
          topicId: this.#walks.get(walk)?.topicId,
          partition: walk.request.partition,
          offset: walk.position,
          leaderEpoch: this.#walks.get(walk)?.leaderEpoch,
          bytesMax: PARTITION_BYTES_MAX,
        })),
        waitMaxMs: walks.some(({ request }) => request.atEnd === 'stop') ? 0 : FETCH_WAIT_MAX_MS,
        bytesMin: 1,
        bytesMax: FETCH_BYTES_MAX,
        isolation,
      },
      signal,
    )
    try {
      const byKey = new Map(walks.map((walk) => [keyOf(walk.request), walk]))
      for (const answer of partitions) {
        const walk = byKey.get(keyOf(answer))
        if (walk !== undefined && !walk.isOver) await this.#take(walk, answer)
      }
    } finally {
      frame.release()
    }
  }

  async #take(walk: Walk, answer: FetchedPartition): Promise<void> {
    const { error } = answer
    if (error !== undefined) {
      if (isRetriable(error) || staleIds.includes(error.code ?? 0)) {
        this.#walks.delete(walk)
        this.#calls.onMisplaced([walk])
      } else this.#end(walk, () => walk.reject(error))
      return
    }
    try {
      await walk.request.prepare?.(answer.records, walk.signal)
      if (!walk.isOver) this.#visit(walk, answer)
    } catch (cause) {
      this.#end(walk, () => walk.reject(cause))
    }
  }

  #visit(walk: Walk, answer: FetchedPartition): void {
    const { request } = walk
    const { records, logStartOffset: logStart } = answer
    const aborted = new AbortedFilter(answer.aborted)
    for (let at = 0; ; ) {
      const found = nextBatch(records, at)
      if (found.kind === 'partial') break
      if (found.kind !== 'batch' || !crcMatches(records, at, found.bytes)) {
        const { topic, partition } = request
        const place = { cluster: this.#options.cluster.alias, topic, partition }
        throw protocolError(CORRUPT_MESSAGE, place, `the batch at offset ${walk.position} cannot be read`)
      }
      const raw = rawBatch(records, at, found.bytes)
      const verdict =
        request.isolation === 'read_committed'
          ? aborted.judge(raw)
          : isControl(records, at)
            ? 'control'
            : 'deliver'
      at += found.bytes
      const last = lastOffset(records, raw.at)
      if (last < walk.position) continue
      walk.position = last + 1n
      walk.attempt = 0
      walk.idleSinceMs = this.#options.clock.monotonicMs()
      if (request.visit({ raw, verdict }) === 'enough') {
        this.#end(walk, () => walk.resolve({ kind: 'enough', next: walk.position, logStart }))
        return
      }
    }
    const limit = request.isolation === 'read_committed' ? answer.lastStableOffset : answer.highWatermark
    const isDone = request.atEnd === 'stop' || isOutOfPatience(walk, this.#options.clock)
    if (isDone && walk.position >= limit) {
      this.#end(walk, () => walk.resolve({ kind: 'end', next: walk.position, logStart }))
    }
  }

  #end(walk: Walk, settle: () => void): void {
    if (walk.isOver) return
    walk.isOver = true
    this.#walks.delete(walk)
    settle()
  }
}

const keyOf = ({ topic, partition }: { readonly topic: string; readonly partition: number }): string =>
  `${topic}/${partition}`

/** Whether it has waited at its log's end, or for a leader, as long as it may. */
export function isOutOfPatience({ request, idleSinceMs }: Walk, clock: Clock): boolean {
  const waitMs = request.atEnd === 'stop' ? LEADERLESS_MS : request.atEnd.waitMs
  return clock.monotonicMs() - idleSinceMs >= waitMs
}
