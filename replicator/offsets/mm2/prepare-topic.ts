import type { Cluster, NewTopic } from '../../kafka/cluster.ts'
import type { KafkaError } from '../../kafka/errors.ts'

const TOPIC_AUTHORIZATION_FAILED = 29
const CLUSTER_AUTHORIZATION_FAILED = 31
const UNSUPPORTED_VERSION = 35
const TOPIC_ALREADY_EXISTS = 36

/** MirrorMaker 2 sets nothing else on its topics. */
const compacted: ReadonlyMap<string, string> = new Map([['cleanup.policy', 'compact']])

/** `assumed`: we may not see or create it, and go on as if somebody else had made it; appends tell if nobody has. */
export type PreparedTopic =
  | { readonly kind: 'there' | 'created' }
  | { readonly kind: 'assumed'; readonly error: KafkaError }

/**
 * Creates a topic as MirrorMaker 2 does, if it is not there yet: compacted, and with one partition unless another number
 * is asked for. One that is there stays as it is.
 * @throws KafkaError when the cluster refuses for another reason than authorization
 */
export async function prepareMirrorTopic(
  cluster: Pick<Cluster, 'describeTopics' | 'createTopics'>,
  topic: Pick<NewTopic, 'name' | 'replicationFactor'> & { readonly partitions?: number },
  signal: AbortSignal,
): Promise<PreparedTopic> {
  const { name, replicationFactor, partitions = 1 } = topic
  const lookup = (await cluster.describeTopics([name], signal)).get(name)
  if (lookup?.kind === 'found') return { kind: 'there' }
  if (lookup?.kind === 'failed') return assumed(lookup.error)
  const created = await cluster.createTopics(
    [{ name, partitions, replicationFactor, configs: compacted }],
    signal,
  )
  const outcome = created.get(name)
  if (outcome === undefined) throw new Error(`CreateTopics did not answer for ${name}`)
  if (outcome.ok) return { kind: 'created' }
  return outcome.error.code === TOPIC_ALREADY_EXISTS ? { kind: 'there' } : assumed(outcome.error)
}

function assumed(error: KafkaError): PreparedTopic {
  const { code } = error
  const isOurs =
    code === TOPIC_AUTHORIZATION_FAILED ||
    code === CLUSTER_AUTHORIZATION_FAILED ||
    code === UNSUPPORTED_VERSION
  if (!isOurs) throw error
  return { kind: 'assumed', error }
}
