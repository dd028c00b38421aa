import { initProducerIdApi, transactionKey } from './api-versions.ts'
import type { BrokerAddress } from './broker-address.ts'
import type { ProducerIdentity } from './cluster.ts'
import { findCoordinator } from './coordinators.ts'
import { protocolError } from './errors.ts'
import type { Requests } from './requests.ts'
import { retrying } from './retrying.ts'

/** The Java producer's default `transaction.timeout.ms`. */
const transactionTimeoutMs = 60_000
const anyIdentity: ProducerIdentity = { producerId: -1n, producerEpoch: -1 }

/**
 * InitProducerId, of any broker, or of the transaction's coordinator where there is a transactional id. With
 * `current` a repeat of a request whose answer got lost is answered with the same identity again (KIP-360).
 */
export async function initProducerId(
  requests: Requests,
  transactionalId: string | undefined,
  signal: AbortSignal | undefined,
  current: ProducerIdentity = anyIdentity,
): Promise<ProducerIdentity> {
  const place = { cluster: requests.cluster, during: 'InitProducerId' }
  return await retrying(requests.retry, place, signal, async (inner) => {
    const { producerId, producerEpoch } = current
    const request = {
      transactionalId: transactionalId ?? null,
      transactionTimeoutMs,
      producerId,
      producerEpoch,
    }
    const answer =
      transactionalId === undefined
        ? await requests.toAny(initProducerIdApi, request, inner)
        : await requests.toAddress(
            await transactionCoordinator(requests, transactionalId, inner),
            initProducerIdApi,
            request,
            inner,
          )
    if (answer.errorCode !== 0) throw protocolError(answer.errorCode, place)
    return { producerId: answer.producerId, producerEpoch: answer.producerEpoch }
  })
}

/** Where the coordinator of a transactional id listens now. Asked before each attempt, because coordinators move. */
export async function transactionCoordinator(
  requests: Requests,
  transactionalId: string,
  signal: AbortSignal,
): Promise<BrokerAddress> {
  return await findCoordinator(requests, transactionKey, transactionalId, signal)
}
