import type { TopicPartition } from '../kafka/cluster.ts'
import type { RecordFingerprint } from '../records/record-fingerprint.ts'
import { committedRanges } from './committed-ranges.ts'
import { committedRecords, type Takes } from './partition-reader.ts'
import type { ReaderContext } from './reader-context.ts'

const LOOK_PAUSE_MS = 200

/**
 * The records that come to a partition behind `from`, one by one, for those who need them. Looks at least once, and
 * then again until the monotonic clock shows `untilMs`.
 * @throws UnreadableError, KafkaError, as {@link committedRecords}
 */
export async function* lateRecords(
  at: TopicPartition,
  from: bigint,
  context: ReaderContext,
  takes: Takes,
  untilMs: number,
): AsyncGenerator<RecordFingerprint, undefined> {
  for (let next = from; ; ) {
    const [answer] = await committedRanges([at], context)
    if (answer?.kind === 'failed') throw answer.error
    const until = answer?.range.until ?? next
    if (until > next) {
      for await (const piece of committedRecords(at, { from: next, until }, context, takes)) yield* piece
      next = until
    }
    if (context.clock.monotonicMs() >= untilMs) return undefined
    await context.clock.sleep(LOOK_PAUSE_MS, context.signal)
  }
}
