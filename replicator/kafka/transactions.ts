import { addPartitionsToTxnApi, endTxnApi } from './api-versions.ts'
import type { PartitionOutcome, TopicPartition, Transaction, TransactionEnd } from './cluster.ts'
import { protocolError, transportError } from './errors.ts'
import { byTopic, partitionKey } from './partition-leaders.ts'
import { transactionCoordinator } from './producer-ids.ts'
import type { Requests } from './requests.ts'
import { retrying, worthAnotherAttempt } from './retrying.ts'

/**
 * What a coordinator says about single partitions: unknown, with an impossible name, not authorised, and (of the
 * others in the request) not attempted. Every other code is about the transaction, and so about all of them.
 */
const partitionCodes: readonly number[] = [3, 17, 29, 55]

/**
 * AddPartitionsToTxn, all partitions in one request. Topics that the coordinator does not know are asked for again a
 * few times, because brokers learn of new ones late.
 */
export async function addPartitionsToTransaction(
  requests: Requests,
  transaction: Transaction,
  partitions: readonly TopicPartition[],
  signal: AbortSignal | undefined,
): Promise<readonly PartitionOutcome[]> {
  if (partitions.length === 0) return []
  const place = { cluster: requests.cluster, during: 'AddPartitionsToTxn' }
  return await retrying(requests.retry, place, signal, async (inner, number) => {
    const codes = await addOnce(requests, transaction, partitions, inner)
    const outcomes: PartitionOutcome[] = []
    for (const { topic, partition } of partitions) {
      const there = { ...place, topic, partition }
      const code = codes.get(partitionKey({ topic, partition }))
      if (code === undefined) {
        throw transportError('malformed', 'the broker left the partition out of its answer', there)
      }
      if (code === 0) {
        outcomes.push({ topic, partition, result: { ok: true, value: undefined } })
        continue
      }
      if (!partitionCodes.includes(code)) throw protocolError(code, place)
      const error = protocolError(code, there)
      if (worthAnotherAttempt(error, number)) throw error
      outcomes.push({ topic, partition, result: { ok: false, error } })
    }
    return outcomes
  })
}

/** EndTxn. A repeat of one whose answer got lost succeeds once the markers are written. */
export async function endTransaction(
  requests: Requests,
  { transactionalId, identity }: Transaction,
  end: TransactionEnd,
  signal: AbortSignal | undefined,
): Promise<void> {
  const place = { cluster: requests.cluster, during: 'EndTxn' }
  const request = { transactionalId, ...identity, commit: end === 'commit' }
  await retrying(requests.retry, place, signal, async (inner) => {
    const coordinator = await transactionCoordinator(requests, transactionalId, inner)
    const { errorCode } = await requests.toAddress(coordinator, endTxnApi, request, inner)
    if (errorCode !== 0) throw protocolError(errorCode, place)
  })
}

/** Error codes by partition. */
async function addOnce(
  requests: Requests,
  { transactionalId, identity }: Transaction,
  partitions: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, number>> {
  const topics = [...byTopic(partitions)].map(([name, items]) => ({
    name,
    partitions: [...new Set(items.map(({ partition }) => partition))],
  }))
  const coordinator = await transactionCoordinator(requests, transactionalId, signal)
  const { producerId, producerEpoch } = identity
  const request = { transactionalId, producerId, producerEpoch, verifyOnly: false, topics }
  const answer = await requests.toAddress(coordinator, addPartitionsToTxnApi, request, signal)
  const codes = new Map<string, number>()
  for (const { topicResults } of answer.resultsByTransaction) {
    for (const { name, resultsByPartition } of topicResults) {
      for (const { partitionIndex, partitionErrorCode } of resultsByPartition) {
        codes.set(partitionKey({ topic: name, partition: partitionIndex }), partitionErrorCode)
      }
    }
  }
  return codes
}
