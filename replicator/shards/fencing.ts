import type {
  Cluster,
  PartitionOutcome,
  ProducerIdentity,
  TopicPartition,
  Transaction,
} from '../kafka/cluster.ts'
import { isRetriable, type KafkaError } from '../kafka/errors.ts'
import { type LogBounds, listBounds } from '../kafka/list-bounds.ts'
import type { ProgressKey } from './progress-record.ts'

const INVALID_PRODUCER_EPOCH = 47
const OPERATION_NOT_ATTEMPTED = 55
const EPOCH_MAX = 32_767

/** A partition to be fenced: what it is called in progress, and on the target. */
export interface FencePlace {
  readonly key: ProgressKey
  readonly target: TopicPartition
}

/** Why a partition cannot be fenced, and whether it may be later. */
export interface FenceRefusal {
  readonly reason: string
  readonly wayOut: string
  readonly retriable: boolean
}

/**
 * Adds the places and the progress partition to the shard's transaction. One partition that is refused keeps the
 * broker from adding any, so the others are asked for again without it.
 * @returns the places that were refused
 * @throws KafkaError when the progress partition itself is refused, or nobody answers
 */
export async function addToTransaction(
  target: Cluster,
  transaction: Transaction,
  places: readonly FencePlace[],
  progress: TopicPartition,
  signal: AbortSignal,
): Promise<ReadonlyMap<FencePlace, FenceRefusal>> {
  const refused = new Map<FencePlace, FenceRefusal>()
  for (let left = places; ; ) {
    const asked = [progress, ...left.map((place) => place.target)]
    const outcomes = byPlace(await target.addPartitionsToTransaction(transaction, asked, signal))
    const failed = left.filter((place) => outcomes.get(keyOf(place.target))?.result.ok !== true)
    const own = outcomes.get(keyOf(progress))?.result
    if (own?.ok && failed.length === 0) return refused
    const culprits = failed.filter(
      (place) => codeOf(outcomes.get(keyOf(place.target))) !== OPERATION_NOT_ATTEMPTED,
    )
    if (culprits.length === 0) {
      if (own === undefined || own.ok)
        throw new Error('AddPartitionsToTxn did not answer for every partition')
      throw own.error
    }
    for (const place of culprits) {
      const result = outcomes.get(keyOf(place.target))?.result
      if (result !== undefined && !result.ok)
        refused.set(place, refusalOf(result.error, 'Grant the replicator WRITE on the target topic.'))
    }
    left = left.filter((place) => !refused.has(place))
  }
}

/** A producer that no transactional id leads to any more: its latest known epoch, and where it may write. */
export interface FormerProducer {
  readonly identity: ProducerIdentity
  readonly places: readonly FencePlace[]
}

/**
 * Fences producer ids directly on the partitions that they wrote to: no transactional id leads to them any more.
 * @returns the places that could not be fenced
 * @throws KafkaError when the progress partition cannot be fenced now
 */
export async function fenceFormer(
  target: Cluster,
  former: readonly FormerProducer[],
  progress: TopicPartition,
  signal: AbortSignal,
): Promise<ReadonlyMap<FencePlace, FenceRefusal>> {
  const refused = new Map<FencePlace, FenceRefusal>()
  for (const { identity, places } of former) {
    const { producerId } = identity
    const asked = [progress, ...places.map((place) => place.target)]
    const outcomes = await fenceBehind(target, identity, asked, signal)
    const own = outcomes.get(keyOf(progress))?.result
    // Who may write progress of these places may not start them either; what passes by itself is tried again.
    if (own !== undefined && !own.ok && isRetriable(own.error)) throw own.error
    for (const place of places) {
      const result = own?.ok === false ? own : outcomes.get(keyOf(place.target))?.result
      if (result === undefined || result.ok) continue
      // What an authorization error advises in general is not what this request needs.
      const wayOut = `The shard's transactional id expired while nobody used it. Grant the replicator CLUSTER_ACTION (or, from Kafka 4.0 on, ALTER) on the target cluster, so that it can fence producer id ${producerId}.`
      refused.set(place, { ...refusalOf(result.error, wayOut), wayOut })
    }
  }
  return refused
}

/**
 * Puts a marker of the next epoch behind a producer. Owners that ended before they wrote progress may have left newer
 * epochs than progress names: there the next one is that behind what the leader knows.
 */
async function fenceBehind(
  target: Cluster,
  { producerId, producerEpoch }: ProducerIdentity,
  asked: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, PartitionOutcome>> {
  const markers = async (epoch: number, at: readonly TopicPartition[]) =>
    await target.writeTransactionMarkers({ producerId, producerEpoch: epoch }, 'abort', at, signal)
  const outcomes = new Map(byPlace(await markers(producerEpoch + 1, asked)))
  const ahead = asked.filter((at) => codeOf(outcomes.get(keyOf(at))) === INVALID_PRODUCER_EPOCH)
  if (ahead.length === 0) return outcomes
  const known = await target.describeProducers(ahead, signal)
  const newest = known
    .flatMap(({ result }) => (result.ok ? result.value : []))
    .filter((producer) => producer.producerId === producerId)
    .reduce((highest, producer) => Math.max(highest, producer.producerEpoch), producerEpoch)
  for (const outcome of await markers(Math.min(newest + 1, EPOCH_MAX), ahead))
    outcomes.set(keyOf(outcome), outcome)
  return outcomes
}

/** Where the places' logs begin and end now, or why that cannot be told. */
export async function boundsOf(
  target: Cluster,
  places: readonly FencePlace[],
  signal: AbortSignal,
): Promise<ReadonlyMap<FencePlace, LogBounds | FenceRefusal>> {
  const asked = places.map((place) => place.target)
  const listed = await listBounds(target, asked, 'earliest', signal)
  const bounds = new Map<FencePlace, LogBounds | FenceRefusal>()
  for (const [index, { start, end }] of listed.entries()) {
    const place = places[index]
    if (place === undefined) throw new Error('Unreachable: bounds are listed of what was asked about')
    if (start.ok && end.ok) bounds.set(place, { start: start.value.offset, end: end.value.offset })
    else {
      const failed = start.ok ? end : start
      if (failed.ok) throw new Error('Unreachable: one of the two has failed')
      bounds.set(place, refusalOf(failed.error, 'Grant the replicator DESCRIBE on the target topic.'))
    }
  }
  return bounds
}

function refusalOf(error: KafkaError, wayOut: string): FenceRefusal {
  return { reason: error.message, wayOut: error.wayOut ?? wayOut, retriable: isRetriable(error) }
}

const byPlace = (outcomes: readonly PartitionOutcome[]): ReadonlyMap<string, PartitionOutcome> =>
  new Map(outcomes.map((outcome) => [keyOf(outcome), outcome]))

const codeOf = (outcome: PartitionOutcome | undefined): number | undefined =>
  outcome === undefined || outcome.result.ok ? undefined : outcome.result.error.code

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}/${partition}`
