/** Where the flow's map says nothing about a partition, and why. */
export type NoMapReason =
  /** The target holds no map topic of this topology: the flow has not run, or only before there were maps. */
  | 'no-map-topic'
  /** The target has no such topic: nothing was copied. */
  | 'no-copy'
  /** Nothing was written of this partition: it is not copied, or has been only since a few seconds. */
  | 'not-in-map'
  /** What was written is about topics that were deleted since, and created anew with the same names. */
  | 're-created'

/** Why a position around a crash is not known exactly, although both logs may be read. */
export type CoarseWhy =
  /** A cleaner has taken records of both logs, so that they cannot be counted. */
  | 'cleaned'
  /** Retention has taken a part of them. */
  | 'gone'
  /** What may be read at once was not enough, or a log ends before. */
  | 'not-reached'
  /** The logs are not what was copied, or not under the rule that was given. */
  | 'contradiction'
  /** Nobody can tell which records the flow forwards, or which ones on the target are its own. */
  | 'origins-unknown'
  | 'producers-unknown'
  /** The source's topic is another one by now. */
  | 're-created'
  /** A log or a list of producers could not be read; it is tried again after half a minute. */
  | 'unreadable'
  /** It would take longer than allowed. */
  | 'out-of-time'

/**
 * A position that is known on both sides: exactly the copied records below `source` on the source lie below `target`
 * on the target.
 */
export interface KnownPair {
  readonly source: bigint
  readonly target: bigint
}

/** Where a position stands on the other side. All offsets are positions as groups commit them: the next to read. */
export type Whereabouts =
  | {
      /** Exactly the copied records below the position lie below `offset`: reading on there skips and repeats nothing. */
      readonly kind: 'exact'
      readonly offset: bigint
      /** The next copied record is known to be the one at `offset`; otherwise records of others may lie before it. */
      readonly isNextRecord: boolean
    }
  | {
      /**
       * Copied around a crash, so that only the ends are known. Reading on from `from` skips nothing and repeats at most
       * `to - from` records; reading on from `to` repeats nothing and skips at most as many.
       */
      readonly kind: 'between'
      readonly from: bigint
      readonly to: bigint
      /** Where the look-up may ask the source: why the logs did not tell exactly. */
      readonly why?: CoarseWhy
      /** What a cluster said, where it did not do what was asked. */
      readonly because?: string
    }
  /** Above what the map knows, which is written about five seconds after it was copied. Asking later may help. */
  | { readonly kind: 'not-copied-yet'; readonly last: KnownPair }
  /** Below what the map knows: copied before there was a map, or gone from either log. Asking later does not help. */
  | { readonly kind: 'before-the-map'; readonly first: KnownPair }
  | { readonly kind: 'no-map'; readonly why: NoMapReason }

/** The answer to one position, with the partition on the other side that it is about. */
export type TranslatedOffset = Whereabouts & { readonly topic: string; readonly partition: number }
