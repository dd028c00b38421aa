import type { VerifyReport } from '../../verify/report.ts'
import type { DemoVerdict } from './judge.ts'

/** What `causeway demo --json` writes. Durations in milliseconds. */
export interface DemoResult extends Omit<DemoVerdict, 'source' | 'target'> {
  readonly source: { readonly alias: string; readonly bootstrap: readonly string[] }
  readonly target: { readonly alias: string; readonly bootstrap: readonly string[] }
  /** From starting the brokers, once Kafka is downloaded, to the target's first acknowledgement of a record. */
  readonly coldStartMs: number
  readonly durationMs: number
  readonly steps: readonly { readonly step: string; readonly ms: number }[]
  readonly workload: {
    readonly written: number
    readonly aborted: number
    readonly transactions: { readonly committed: number; readonly aborted: number }
    readonly topics: readonly { readonly topic: string; readonly written: number; readonly aborted: number }[]
  }
  /** Topics created while the workload ran, and how long the copy took to be there. */
  readonly lateTopics: readonly { readonly topic: string; readonly copiedAfterMs: number }[]
  readonly replication: {
    readonly records: number
    readonly bytes: number
    readonly batches: number
    readonly reencoded: Readonly<Record<string, number>>
  }
  /** Committed records that kafkajs consumers read on either side. */
  readonly kafkajs: { readonly source: number; readonly target: number }
  readonly comparison: VerifyReport
}
