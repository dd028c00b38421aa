import type { RecordField } from '../records/record-fingerprint.ts'
import type { FlowId, Naming } from '../topology/model.ts'

/** What comparing source and target found. Plain data: offsets are decimal text, so JSON carries them whole. */
export interface VerifyReport {
  /** Every partition was read to its end and none differs. */
  readonly identical: boolean
  readonly source: string
  readonly target: string
  readonly records: { readonly source: number; readonly target: number }
  /** In the order of the pairs that were asked for. */
  readonly partitions: readonly PartitionVerdict[]
}

/** The comparison of one flow. */
export interface FlowReport extends VerifyReport {
  readonly flow: FlowId
  readonly naming: Naming
  /** `own`: other regions' records share these topics, and only what this flow forwards was compared. */
  readonly scope: 'everything' | 'own'
}

export interface PartitionVerdict {
  readonly sourceTopic: string
  readonly targetTopic: string
  readonly partition: number
  /** `unreadable`: one side could not be read to its end; counts are then those up to there. */
  readonly verdict: 'identical' | 'different' | 'unreadable'
  /**
   * `key`: the topic is compacted and the logs differ, as they do when the cleaner was at one of them; the verdict and
   * the differences are about the last record of each key.
   */
  readonly by?: 'key'
  readonly source: PartitionSide
  readonly target: PartitionSide
  readonly differences: DifferenceCounts
  readonly first?: Difference
  /** Why it is unreadable. */
  readonly problem?: string
}

export interface PartitionSide {
  /** Committed records. */
  readonly records: number
  /** SHA-256 over all records in order, in hexadecimal; offsets do not count. */
  readonly digest: string
  /** Records from before the other side begins: deleted there, or never copied. In neither of the other two. */
  readonly older?: number
}

/**
 * `missing`: on the source only. `extra`: on the target only. `duplicated`: on the target once more than on the
 * source. `reordered`: on both, at another place. `altered`: at the same place, with other content.
 */
export type DifferenceKind = 'missing' | 'extra' | 'duplicated' | 'reordered' | 'altered'

export type DifferenceCounts = Readonly<Record<DifferenceKind, number>>

export interface Difference {
  readonly kind: DifferenceKind
  /** Absent for records that only the target has. */
  readonly sourceOffset?: string
  /** Absent for records that only the source has. */
  readonly targetOffset?: string
  /** Of an altered record: what differs. */
  readonly fields?: readonly RecordField[]
  /** One clause for people; never shows content. */
  readonly detail: string
}
