import type { CoarseSpan, Translation } from '../offsets/offset-map.ts'
import { type TargetOffset, targetOffset } from '../records/offsets.ts'

/**
 * Where a group that stands at a source position may stand on the target. Whatever the answer, no record that is on
 * the target and that the group has not read lies below it.
 */
export type TargetPlace =
  | {
      readonly kind: 'at'
      readonly offset: TargetOffset
      /** How many offsets of the target the group may read a second time, at most; 0 when it reads none again. */
      readonly rereadMax: bigint
      readonly because: PlaceReason
      /** What has to be refined from the logs for an exact answer. */
      readonly coarse?: CoarseSpan
    }
  | {
      readonly kind: 'nowhere'
      readonly reason: 'before-the-map'
      /** What would be read again from where the target's log begins. */
      readonly rereadMax: bigint
    }

/**
 * `exact`: for good. `between`: the lower end of what is known in spans only. `not-copied-yet`: where copying got to;
 * later more. `before-the-map`: at or above what is left of the target's log. `target-start`: what lies below was
 * deleted there. `other-direction`: records of the target's own that the group has not read on the source.
 */
export type PlaceReason =
  | 'exact'
  | 'between'
  | 'not-copied-yet'
  | 'before-the-map'
  | 'target-start'
  | 'other-direction'

export interface PlaceQuestion {
  /** What the flow's map says of the group's position. */
  readonly translation: Translation<TargetOffset>
  /** Where the target's log begins now. */
  readonly targetStart: TargetOffset
  /** How many offsets may be read again by a group whose position is from before the map. */
  readonly rereadMax: bigint
  /**
   * With topics that keep their names, the target's partition holds more than this flow's copies: no offset may be
   * above what the other flows' maps (`translateBack` of the one that leads back) say of the same position.
   */
  readonly notAbove?: readonly TargetOffset[]
}

/** Never skips: where that cannot be promised, the answer is `nowhere`. */
export function placeOnTarget(question: PlaceQuestion): TargetPlace {
  const place = ofTranslation(question)
  if (place.kind === 'nowhere') return place
  const lowest = minOf([place.offset, ...(question.notAbove ?? [])])
  const bounded: TargetPlace =
    lowest === place.offset
      ? place
      : {
          ...place,
          offset: lowest,
          because: 'other-direction',
          rereadMax: place.rereadMax + (place.offset - lowest),
        }
  // Below its log's start a consumer is sent wherever its `auto.offset.reset` says, and that may be the end.
  if (bounded.offset >= question.targetStart) return bounded
  const gone = question.targetStart - bounded.offset
  return {
    kind: 'at',
    offset: question.targetStart,
    because: bounded.because === 'before-the-map' ? 'before-the-map' : 'target-start',
    rereadMax: bounded.rereadMax > gone ? bounded.rereadMax - gone : 0n,
    ...(bounded.coarse === undefined ? {} : { coarse: bounded.coarse }),
  }
}

function ofTranslation({ translation, targetStart, rereadMax }: PlaceQuestion): TargetPlace {
  switch (translation.kind) {
    case 'exact':
      return { kind: 'at', offset: translation.offset, rereadMax: 0n, because: 'exact' }
    case 'between': {
      const { from, to, span } = translation
      return { kind: 'at', offset: from, rereadMax: to - from, because: 'between', coarse: span }
    }
    case 'not-copied-yet':
      return { kind: 'at', offset: translation.last.target, rereadMax: 0n, because: 'not-copied-yet' }
    case 'before-the-map': {
      // What was copied before the map began lies below its start: all of it may be unread.
      const { target } = translation.first
      const again = target > targetStart ? target - targetStart : 0n
      if (again > rereadMax) return { kind: 'nowhere', reason: 'before-the-map', rereadMax: again }
      const offset = again === 0n ? target : targetStart
      return { kind: 'at', offset, rereadMax: again, because: 'before-the-map' }
    }
  }
}

const minOf = (offsets: readonly TargetOffset[]): TargetOffset =>
  targetOffset(offsets.reduce((least, offset) => (offset < least ? offset : least)))
