import type { ReferenceSources } from '../references.ts'
import type { Findings } from './setting.ts'

/** What reading connections needs to know. */
export interface ConnectionContext {
  readonly topologyName: string
  /** Paths as written; relative ones begin at the configuration file's folder. */
  readonly sources: ReferenceSources
  /** The configuration file's folder. */
  readonly directory: string
  readonly findings: Findings
}
