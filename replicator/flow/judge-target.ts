import type { LogBounds } from '../kafka/list-bounds.ts'
import { type ResumePlace, resumeCommand } from '../topology/resume-command.ts'
import { placeOf, type StopText } from './judge-source.ts'
import type { Retention } from './retention.ts'

/** What somebody did to a copy. */
export type TargetFinding =
  /** The log ends below what it had acknowledged. */
  | { readonly kind: 'lost'; readonly fromOffset: bigint; readonly toOffset: bigint }
  /** Records are gone that no retention explains. */
  | { readonly kind: 'deleted'; readonly fromOffset: bigint; readonly toOffset: bigint }
  | ({ readonly kind: 'foreign' } & ForeignWrites)
  | { readonly kind: 're-created' }

/** Batches in a range of the target's log that are not ours. */
export interface ForeignWrites {
  /** First offset, and the offset behind the last one. */
  readonly fromOffset: bigint
  readonly toOffset: bigint
  readonly records: number
  /** Of the first batch; -1 when its producer was not idempotent. */
  readonly producerId: bigint
}

/** The header of a batch in the target's log, as far as it tells whose it is. */
export interface TargetBatch {
  readonly baseOffset: bigint
  readonly lastOffset: bigint
  readonly records: number
  readonly producerId: bigint
  readonly isControl: boolean
}

/** Every acknowledged record lies below `targetNext`; so the log must reach there. */
export function judgeEnd(targetNext: bigint, bounds: LogBounds): TargetFinding | undefined {
  return bounds.end < targetNext ? { kind: 'lost', fromOffset: bounds.end, toOffset: targetNext } : undefined
}

/** Adds a batch to the foreign ones found so far. Markers of transactions, ours included, are nobody's records. */
export function addForeign(
  found: ForeignWrites | undefined,
  batch: TargetBatch,
  isOurs: (producerId: bigint) => boolean,
): ForeignWrites | undefined {
  if (batch.isControl || batch.records === 0 || isOurs(batch.producerId)) return found
  return {
    fromOffset: found?.fromOffset ?? batch.baseOffset,
    toOffset: batch.lastOffset + 1n,
    records: (found?.records ?? 0) + batch.records,
    producerId: found?.producerId ?? batch.producerId,
  }
}

/**
 * Proof that some records are too young to be retention's: the first record that, when the target was asked, had
 * `slackMs` or more left to live. Valid until that time is over, and as long as the retention is what it was.
 */
export interface YoungRecord {
  readonly offset: bigint
  readonly askedAtMs: number
  readonly slackMs: number
  readonly retentionMs: number
}

export interface LogStartMove {
  readonly from: bigint
  readonly bounds: LogBounds
  /** `undefined` when it cannot be read: then anything may explain the move. */
  readonly retention: Retention | undefined
  readonly young: YoungRecord | undefined
  /** Wall time in milliseconds. */
  readonly nowMs: number
}

/**
 * Whether a log start that moved on was moved by someone. In doubt it was retention: stopping a sound partition is
 * worse than missing a deletion that retention was about to do anyway.
 */
export function judgeDeletion(move: LogStartMove): TargetFinding | undefined {
  const { from, bounds, retention } = move
  if (bounds.start <= from || retention === undefined) return undefined
  if (retention.deletes && (mayBeAge(move, retention) || mayBeSize(move, retention))) return undefined
  return { kind: 'deleted', fromOffset: from, toOffset: bounds.start }
}

function mayBeAge({ bounds, young, nowMs }: LogStartMove, { ms }: Retention): boolean {
  if (ms === undefined) return false
  const isProof = young !== undefined && young.retentionMs === ms && nowMs - young.askedAtMs < young.slackMs
  return !isProof || bounds.start <= young.offset
}

/** Size-based retention leaves as many bytes as it is allowed to: never nothing. */
function mayBeSize({ bounds }: LogStartMove, { bytes }: Retention): boolean {
  return bytes !== undefined && (bytes === 0n || bounds.start < bounds.end)
}

/** Says a finding in words, with the choices there are. */
export function targetStop(finding: TargetFinding, place: ResumePlace, targetTopic: string): StopText {
  const where = placeOf(place)
  const copy = `its copy "${targetTopic}"`
  const goOn = resumeCommand(place, 'next')
  const again = `or copy again what the source still has, behind what is there: ${resumeCommand(place, 'earliest')}`
  switch (finding.kind) {
    case 'lost':
      return {
        reason: `${where}: ${copy} ends at offset ${finding.fromOffset}, before ${finding.toOffset} that it had acknowledged`,
        wayOut: `The target lost records. Go on behind what it has, without them: ${resumeCommand(place, 'latest')}; ${again}.`,
      }
    case 'deleted':
      return {
        reason: `${where}: somebody deleted offsets ${finding.fromOffset} to ${finding.toOffset - 1n} of ${copy}: no retention explains it`,
        wayOut: `Go on without them: ${goOn}; ${again}.`,
      }
    case 'foreign': {
      const { records, fromOffset, toOffset, producerId } = finding
      const count = records === 1 ? '1 record' : `${records} records`
      const who = producerId < 0n ? 'a producer without an id' : `producer id ${producerId}`
      return {
        reason: `${where}: somebody else wrote ${count} into ${copy}, offsets ${fromOffset} to ${toOffset - 1n} (${who})`,
        wayOut: `Find out who writes there and end it, then go on behind them: ${goOn}.`,
      }
    }
    case 're-created':
      return recreatedTarget(place, targetTopic)
  }
}

/** The target topic was deleted and made anew: what was copied is gone. */
export function recreatedTarget(place: ResumePlace, targetTopic: string): StopText {
  const whole = { ...place, partition: undefined }
  return {
    reason: `its copy "${targetTopic}" was deleted and re-created: records already copied are no longer there`,
    wayOut: `Copy again what the source still has: ${resumeCommand(whole, 'earliest')}; or go on with what comes: ${resumeCommand(whole, 'latest')}.`,
  }
}
