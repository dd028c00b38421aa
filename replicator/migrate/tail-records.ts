import { hash } from 'node:crypto'
import type { VisitedBatch } from '../logs/log-walk.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import { type DecodedRecord, decodeBatch } from '../records/decode.ts'
import { fingerprintOf } from '../records/record-fingerprint.ts'
import type { SourceRecord } from './align-tail.ts'

/** A stretch of one partition's log; `to` is exclusive. */
export interface LogStretch {
  readonly topic: string
  readonly partition: number
  readonly from: bigint
  readonly to: bigint
}

export interface TimedRecord extends SourceRecord {
  readonly timestamp: bigint
}

/** Whole fingerprints of a million records would not fit. */
const PLAIN_LENGTH_MAX = 48

/** Stands for everything of a record but its offset; without its timestamp where the target gives it another one. */
export function contentOf(record: DecodedRecord, withTimestamp: boolean): string {
  const { whole } = fingerprintOf(withTimestamp ? record : { ...record, timestamp: 0n })
  // What is longer cannot be taken for what is as short as this.
  return whole.length < PLAIN_LENGTH_MAX ? whole : hash('sha256', whole, 'base64').padEnd(PLAIN_LENGTH_MAX)
}

/**
 * Reads the records of a stretch, in order, until there are `max`.
 * @param onAborted what was written in an aborted transaction
 * @throws KafkaError when the log cannot be read
 */
export async function readRecords(
  walks: Pick<LogWalks, 'walk'>,
  { topic, partition, from, to }: LogStretch,
  options: {
    readonly isolation: 'read_committed' | 'read_uncommitted'
    readonly withTimestamps: boolean
    readonly max?: number
    readonly onAborted?: (record: TimedRecord) => void
  },
  signal: AbortSignal,
): Promise<readonly TimedRecord[]> {
  const found: TimedRecord[] = []
  const { isolation, withTimestamps, max = Number.POSITIVE_INFINITY, onAborted } = options
  if (from >= to || max <= 0) return found
  const visit = ({ raw, verdict }: VisitedBatch): 'on' | 'enough' => {
    if (verdict === 'control' || (verdict === 'aborted' && onAborted === undefined)) return 'on'
    for (const record of decodeBatch(raw).records) {
      const { offset, timestamp } = record
      if (offset < from) continue
      if (offset >= to) return 'enough'
      const timed = { offset, timestamp, content: contentOf(record, withTimestamps) }
      if (verdict === 'aborted') onAborted?.(timed)
      else if (found.push(timed) >= max) return 'enough'
    }
    return 'on'
  }
  await walks.walk({ topic, partition, from, isolation, atEnd: 'stop', visit }, signal)
  return found
}
