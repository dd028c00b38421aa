import { discoveryIntervalMs } from '../topology/defaults.ts'
import { durationRule, parseDurationMs } from '../topology/duration.ts'
import { ports } from '../topology/internal-names.ts'
import type { Path, Problem } from '../topology/problem.ts'
import { byteSizeRule, parseByteSize } from './byte-size.ts'
import type { CausewayFile } from './schema.ts'

/** The replicator's use of memory and connections. */
export interface Limits {
  /** Bytes held between all sources and targets of the process. */
  readonly bufferBytesMax: number
  /** Largest answer asked of a source broker at a time. */
  readonly fetchBytesMax: number
  /** Connections to each source broker: what keeps a long link full. */
  readonly connectionsPerBroker: number
}

/** Where health is served. */
export interface HttpSettings {
  /** 0: any free port. */
  readonly port: number
  readonly host: string
}

export interface Tuning {
  readonly limits: Limits
  readonly http: HttpSettings
  readonly discoveryIntervalMs: number
}

/** What suits most machines: a resident set of well under 400 MiB, and 25 MB/s or more per partition over 80 ms. */
export const defaultTuning: Tuning = {
  limits: { bufferBytesMax: 96 * 1_048_576, fetchBytesMax: 8 * 1_048_576, connectionsPerBroker: 4 },
  http: { port: ports.replicate, host: '0.0.0.0' },
  discoveryIntervalMs,
}

/** Reads what a file says about the process itself, and completes it with defaults. */
export function readTuning(file: CausewayFile): {
  readonly tuning: Tuning
  readonly problems: readonly Problem[]
} {
  const problems: Problem[] = []
  const defaults = defaultTuning.limits
  const bytes = (text: string | undefined, key: string, fallback: number): number => {
    const size = text === undefined ? fallback : parseByteSize(text)
    if (size !== undefined && size > 0) return size
    problems.push({ path: ['limits', key], message: 'not a size above zero', hint: byteSizeRule })
    return fallback
  }
  const bufferBytesMax = bytes(file.limits?.bufferBytes, 'bufferBytes', defaults.bufferBytesMax)
  const fetchBytesMax = bytes(file.limits?.fetchBytes, 'fetchBytes', defaults.fetchBytesMax)
  if (fetchBytesMax > bufferBytesMax) {
    const path: Path = ['limits', 'fetchBytes']
    problems.push({ path, message: 'more than "bufferBytes" could ever hold', dependsOn: [['limits']] })
  }
  const interval = file.discoveryInterval
  const intervalMs = interval === undefined ? discoveryIntervalMs : parseDurationMs(interval)
  if (intervalMs === undefined || intervalMs === 0) {
    problems.push({ path: ['discoveryInterval'], message: 'not a duration above zero', hint: durationRule })
  }
  const tuning = {
    limits: {
      bufferBytesMax,
      fetchBytesMax,
      connectionsPerBroker: file.limits?.connectionsPerBroker ?? defaults.connectionsPerBroker,
    },
    http: {
      port: file.http?.port ?? defaultTuning.http.port,
      host: file.http?.host ?? defaultTuning.http.host,
    },
    discoveryIntervalMs: intervalMs ?? discoveryIntervalMs,
  }
  return { tuning, problems }
}
