import type { Cluster } from '../kafka/cluster.ts'
import type { TopicLogOptions } from '../kafka/topic-log.ts'
import type { StoredSourceOffset } from '../offsets/mm2/source-offset.ts'
import { readSourceOffsets } from '../offsets/mm2/source-offsets-topic.ts'
import { MigrationRefusedError } from './refusal.ts'

/** The MirrorMaker 2 that has copied a flow, or will: what it keeps on the flow's target. */
export interface MirrorMaker {
  /** Its alias of the source. */
  readonly source: string
  /** The name of its MirrorSourceConnector. */
  readonly connector: string
  /** Where Connect keeps source offsets. */
  readonly offsetsTopic: string
  /** The group of its Connect workers; `undefined` when nobody says it. */
  readonly connectGroup: string | undefined
  /** Where it writes heartbeats, and how often, if it does. */
  readonly heartbeats: { readonly topic: string; readonly intervalMs: number }
}

/** What MirrorMaker 2 has stored, by `topic/partition` of the source. */
export interface StoredOffsets {
  /** Whether there is a topic of stored offsets at all. */
  readonly isThere: boolean
  readonly byPlace: ReadonlyMap<string, StoredSourceOffset>
  /** Places whose offset Connect itself would choose by chance. */
  readonly ambiguous: ReadonlySet<string>
}

/**
 * Reads where MirrorMaker 2 would go on.
 * @throws MigrationRefusedError while a worker's transaction is open; KafkaError
 */
export async function readStoredOffsets(
  { connector, source, offsetsTopic }: MirrorMaker,
  options: Omit<TopicLogOptions, 'topic'>,
  signal: AbortSignal,
): Promise<StoredOffsets> {
  if (!(await isThere(options.cluster, offsetsTopic, signal)))
    return { isThere: false, byPlace: new Map(), ambiguous: new Set() }
  const { entries, ambiguous, openTransactions } = await readSourceOffsets(
    { ...options, topic: offsetsTopic },
    signal,
  )
  const [open] = openTransactions
  if (open !== undefined)
    throw new MigrationRefusedError(
      `${offsetsTopic}/${open} on ${options.cluster.alias} has an open transaction: MirrorMaker 2 still writes, or was killed less than its transaction timeout ago (a minute by default). Stop it, and try again then`,
    )
  const ours = (key: { readonly connector: string; readonly cluster: string }): boolean =>
    key.connector === connector && key.cluster === source
  return {
    isThere: true,
    byPlace: new Map(entries.filter(ours).map((entry) => [placeName(entry), entry])),
    ambiguous: new Set(ambiguous.filter(ours).map(placeName)),
  }
}

export const placeName = ({ topic, partition }: { readonly topic: string; readonly partition: number }) =>
  `${topic}/${partition}`

async function isThere(cluster: Cluster, topic: string, signal: AbortSignal): Promise<boolean> {
  const lookup = (await cluster.describeTopics([topic], signal)).get(topic)
  if (lookup?.kind === 'failed') throw lookup.error
  return lookup?.kind === 'found'
}
