import type { KafkaError } from '../kafka/errors.ts'
import type { RegionAlias } from '../topology/model.ts'

export type TopicAction = 'describe' | 'describe-configs' | 'create' | 'grow' | 'alter-configs'

/** What was asked of which cluster when it refused. */
export interface RefusedAction {
  readonly action: TopicAction
  readonly topic: string
  readonly cluster: RegionAlias
}

export interface Refusal {
  readonly reason: string
  /** What the user can do. */
  readonly wayOut: string
}

const failures: Readonly<Record<TopicAction, (topic: string) => string>> = {
  describe: (topic) => `${topic} could not be described`,
  'describe-configs': (topic) => `the configs of ${topic} could not be read`,
  create: (topic) => `${topic} could not be created`,
  grow: (topic) => `${topic} could not be given more partitions`,
  'alter-configs': (topic) => `${topic} could not be given the configs of its source`,
}

/** The operation each action needs on the topic (KIP-11, KIP-133). */
const permissions: Readonly<Record<TopicAction, string>> = {
  describe: 'DESCRIBE',
  'describe-configs': 'DESCRIBE_CONFIGS',
  create: 'CREATE (on the topic or on the cluster)',
  grow: 'ALTER',
  'alter-configs': 'ALTER_CONFIGS',
}

/** A cluster's refusal of something about one topic, in the words of what was to be done. */
export function refusalOf(error: KafkaError, { action, topic, cluster }: RefusedAction): Refusal {
  return {
    reason: `${failures[action](`"${topic}" on ${cluster}`)}: ${error.kind}, ${error.summary}`,
    wayOut: wayOutOf(error, action, topic, cluster),
  }
}

function wayOutOf(error: KafkaError, action: TopicAction, topic: string, cluster: RegionAlias): string {
  switch (error.kind) {
    case 'TOPIC_AUTHORIZATION_FAILED':
    case 'CLUSTER_AUTHORIZATION_FAILED': {
      const grant = `grant this flow's principal ${permissions[action]} on "${topic}" at ${cluster}`
      if (action === 'create')
        return `${grant}, or create the topic by hand with the source's partition count`
      if (action === 'describe-configs') return `${grant}, or create the target topic by hand`
      return grant
    }
    case 'INVALID_REPLICATION_FACTOR':
      return `lower the flow's replication factor to the number of brokers of ${cluster}, or start more brokers there`
    case 'INVALID_CONFIG':
      return `put the config that ${cluster} refuses on the flow's config exclude list, or correct it on the source topic`
    case 'POLICY_VIOLATION':
      return `satisfy the policy of ${cluster}, or create the topic by hand as the policy wants it`
    case 'INVALID_TOPIC_EXCEPTION':
      return `names that differ only in "." and "_" collide on one cluster: change the flow's naming, or leave one of the topics out`
    default:
      return error.wayOut ?? 'it is tried again in every round'
  }
}
