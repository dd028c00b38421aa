import { sessionTimeoutMs } from '../topology/defaults.ts'
import { durationRule, parseDurationMs } from '../topology/duration.ts'
import type { Path, Problem } from '../topology/problem.ts'
import { entryReader } from './entry-reader.ts'
import type { ReferenceSources } from './references.ts'
import type { CausewayFile } from './schema.ts'

/** How this process takes part among the replicas of its flows. */
export interface ReplicaSettings {
  /** `group.instance.id` (KIP-345): it keeps its shards while it restarts within the session. */
  readonly instanceId: string | undefined
  /** After so long without a sign of life a replica's shards go to others. In milliseconds. */
  readonly sessionTimeoutMs: number
}

/** Reads a file's `replicas`, and completes it with defaults. */
export function readReplicas(
  { replicas }: CausewayFile,
  sources: ReferenceSources,
): { readonly replicas: ReplicaSettings; readonly problems: readonly Problem[] } {
  const reader = entryReader(sources)
  const problem = (path: Path, message: string, hint: string) => reader.problems.push({ path, message, hint })
  const path = ['replicas', 'instanceId']
  const instanceId = reader.text(replicas?.instanceId, path)
  if (instanceId !== undefined && !isInstanceId(instanceId)) {
    problem(path, 'not an id that Kafka takes', 'use at most 249 letters, digits, ".", "_" and "-"')
  }
  const text = replicas?.sessionTimeout
  const ms = text === undefined ? sessionTimeoutMs : parseDurationMs(text)
  if (ms === undefined || ms === 0) {
    problem(['replicas', 'sessionTimeout'], 'not a duration above zero', durationRule)
  }
  return { replicas: { instanceId, sessionTimeoutMs: ms ?? sessionTimeoutMs }, problems: reader.problems }
}

/** Brokers hold instance ids to the rules of topic names. */
function isInstanceId(text: string): boolean {
  return /^[a-zA-Z0-9._-]{1,249}$/.test(text) && text !== '.' && text !== '..'
}
