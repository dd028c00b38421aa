import type { FlowOptions } from '../flow/flow-options.ts'
import type { TopicMetadata } from '../kafka/cluster.ts'
import type { LogWalks } from '../logs/log-walks.ts'
import type { Progress } from '../shards/progress-record.ts'
import { readProgress } from '../shards/progress-topic.ts'
import { selectTopics } from '../topics/match-topics.ts'
import { placeName } from './mirror-maker.ts'

/** A partition that the flow takes, and what each side knows of it. */
export interface FlowPartition {
  readonly source: TopicMetadata
  readonly partition: number
  readonly targetTopic: string
  /** `undefined`: there is no copy of this partition. */
  readonly target: TopicMetadata | undefined
}

/** How a partition is told of. */
export interface PartitionNames {
  readonly topic: string
  readonly partition: number
  readonly targetTopic: string
}

export const namesOf = ({ source, partition, targetTopic }: FlowPartition): PartitionNames => ({
  ...{ topic: source.name, partition, targetTopic },
})

/** Every partition that a flow takes, as both clusters list them now. @throws KafkaError */
export async function flowPartitions(
  { source, target, rules }: Pick<FlowOptions, 'source' | 'target' | 'rules'>,
  signal: AbortSignal,
): Promise<readonly FlowPartition[]> {
  const [sources, targets] = await Promise.all([source.listTopics(signal), target.listTopics(signal)])
  const copies = new Map(targets.map((topic) => [topic.name, topic]))
  return selectTopics(sources, rules)
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((topic) => {
      const targetTopic = rules.targetNameOf(topic.name)
      const copy = copies.get(targetTopic)
      const isTaken = rules.select(topic.name)
      return topic.partitions
        .filter(({ partition }) => isTaken?.(partition) === true)
        .map(({ partition }) => ({
          ...{ source: topic, partition, targetTopic },
          target: copy?.partitions[partition] === undefined ? undefined : copy,
        }))
    })
}

/**
 * What our progress says, by `topic/partition`: of several shards' records of a partition the one that got furthest.
 * None where the flow has never run. Makes no topic.
 */
export async function progressByPlace(
  { target, progressTopic, flow }: Pick<FlowOptions, 'target' | 'progressTopic' | 'flow'>,
  walks: LogWalks,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, Progress>> {
  const lookup = (await target.describeTopics([progressTopic], signal)).get(progressTopic)
  if (lookup?.kind === 'failed') throw lookup.error
  const found = new Map<string, Progress>()
  if (lookup?.kind !== 'found') return found
  for (const view of await readProgress(lookup.topic, flow.id, walks, signal)) {
    for (const { key, progress } of view.entries) {
      const known = found.get(placeName(key))
      if (known === undefined || progress.targetNext > known.targetNext) found.set(placeName(key), progress)
    }
  }
  return found
}

/** What the copies' configs mean for comparing them. */
export interface CopyConfigs {
  readonly stamps: boolean
  readonly isCompacted: boolean
}

const TOPICS_PER_REQUEST = 200

/** Topics whose configs are withheld count as having defaults. @throws KafkaError */
export async function copyConfigs(
  target: FlowOptions['target'],
  topics: readonly string[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, CopyConfigs>> {
  const found = new Map<string, CopyConfigs>()
  for (let from = 0; from < topics.length; from += TOPICS_PER_REQUEST) {
    const chunk = topics.slice(from, from + TOPICS_PER_REQUEST)
    for (const [topic, answer] of await target.describeTopicConfigs(chunk, signal)) {
      const configOf = (name: string) =>
        answer.ok ? answer.value.find((entry) => entry.name === name)?.value : undefined
      found.set(topic, {
        stamps: configOf('message.timestamp.type') === 'LogAppendTime',
        isCompacted: configOf('cleanup.policy')?.includes('compact') === true,
      })
    }
  }
  return found
}
