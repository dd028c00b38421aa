import type { LogBounds } from '../kafka/list-bounds.ts'
import { type ResumePlace, resumeCommand } from '../topology/resume-command.ts'
import type { EpochMark } from './epoch-trail.ts'

/** What the source says about a leader epoch: the largest one it knows up to that, and where it ends. */
export interface EpochEnd {
  readonly leaderEpoch: number
  readonly endOffset: bigint
}

/** Why a source partition can no longer be copied without a person's decision. */
export type SourceFinding =
  /** Retention, or someone, deleted `fromOffset` up to below `toOffset` before they were copied. */
  | { readonly kind: 'overrun'; readonly fromOffset: bigint; readonly toOffset: bigint }
  /** What was read from `fromOffset` up to below `toOffset` is not the source's history any more. */
  | { readonly kind: 'truncated'; readonly fromOffset: bigint; readonly toOffset: bigint }
  | { readonly kind: 're-created' }

/**
 * What a log's bounds say about a reader that is at `position`.
 * @param followsLogStart a log start above the position is no gap: the user accepts it, or nothing was promised yet
 */
export function judgeBounds(
  position: bigint,
  bounds: LogBounds,
  followsLogStart: boolean,
): SourceFinding | undefined {
  if (bounds.end < position) return { kind: 'truncated', fromOffset: bounds.end, toOffset: position }
  if (bounds.start > position && !followsLogStart)
    return { kind: 'overrun', fromOffset: position, toOffset: bounds.start }
  return undefined
}

/**
 * Whether the source still holds what was read of an epoch, even if its log has grown past it since.
 * @param end `undefined` when the source knows no epoch that old (its epochs were deleted with its records)
 */
export function judgeEpoch(mark: EpochMark, end: EpochEnd | undefined): SourceFinding | undefined {
  if (end === undefined || end.endOffset >= mark.next) return undefined
  return { kind: 'truncated', fromOffset: end.endOffset, toOffset: mark.next }
}

/** What to tell the user when a partition stops. */
export interface StopText {
  readonly reason: string
  readonly wayOut: string
}

/** Says a finding in words, with the choices there are. */
export function sourceStop(finding: SourceFinding, place: ResumePlace): StopText {
  const where = placeOf(place)
  switch (finding.kind) {
    case 'overrun':
      return {
        reason: `${where}: the source deleted offsets ${finding.fromOffset} to ${finding.toOffset - 1n} before they were copied`,
        wayOut: `Go on without them: ${resumeCommand(place, 'earliest')}; or restart with --accept-gap ${acceptGap(place)} to accept every such gap. Raise the source's retention to keep it from happening again.`,
      }
    case 'truncated':
      return {
        reason: `${where}: the source lost offsets ${finding.fromOffset} to ${finding.toOffset - 1n} that were already read (an unclean leader election, or a restored cluster)`,
        wayOut: `The copy keeps what was lost. Go on with what the source has from there: ${resumeCommand(place, finding.fromOffset)}; or only with what it had not before: ${resumeCommand(place, finding.toOffset)}.`,
      }
    case 're-created':
      return recreatedSource(place)
  }
}

const acceptGap = ({ topic, partition }: ResumePlace): string =>
  partition === undefined ? topic : `${topic}/${partition}`

/** The source topic was deleted and made anew, so that its offsets started over. */
export function recreatedSource(place: ResumePlace): StopText {
  const whole = { ...place, partition: undefined }
  return {
    reason: `topic "${place.topic}" was deleted and re-created on the source: its offsets started over`,
    wayOut: `Copy the new topic behind what was copied of the old one: ${resumeCommand(whole, 'earliest')}; or take it out of the flow.`,
  }
}

export const placeOf = ({ topic, partition }: ResumePlace): string =>
  partition === undefined ? topic : `${topic} partition ${partition}`
