/** What the benchmark needs to know about a replicator: is it here, and how is it told to copy one topic. */
import type { SystemName } from '../results.ts'

/** One topic to copy, once, by a replicator that starts from nothing. */
export interface CopyJob {
  /** Letters and digits, unique in the benchmark: names made from it make every run a fresh start. */
  readonly id: string
  /** For the configuration file and the log; empty, removed by the caller. */
  readonly folder: string
  readonly sourceBootstrap: string
  readonly targetBootstrap: string
  readonly topic: string
  /** A regular expression of the consumer groups that follow their topic. Default: none. */
  readonly groups?: string
  /** PEM certificate of the authority, when both bootstrap servers speak TLS. */
  readonly caFile?: string
}

/** A process to start. */
export interface Command {
  readonly file: string
  readonly args: readonly string[]
}

export interface System {
  readonly name: SystemName
  /** Undefined if it can run here; otherwise what is missing. */
  missing(): string | undefined
  /** How the copy is called on the target. */
  targetTopic(job: CopyJob): string
  /** The target topic has to be there before the process starts. */
  readonly wantsTargetTopic: boolean
  /** Writes the configuration into the job's folder. */
  prepare(job: CopyJob): Promise<Command>
}
