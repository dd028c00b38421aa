import { installKafka } from '../../replicator/local/installation.ts'
import { startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { type FragileHarness, shortExpiry, takeoverContract } from '../contract/takeover-contract.ts'
import { harnessOf } from './real-harness.ts'

const { transactionalIds, producers } = shortExpiry

/** Clients give up early, so that a refusal that lasts is seen as one. */
const patienceMs = 500

async function start(): Promise<FragileHarness> {
  const { signal } = new AbortController()
  const installation = await installKafka({}, signal)
  const cluster = await startLocalCluster(
    {
      alias: 'takeover',
      brokers: 3,
      heapMb: 256,
      installation,
      startTimeoutMs: 120_000,
      brokerConfig: {
        'transactional.id.expiration.ms': `${transactionalIds.expirationMs}`,
        'transaction.remove.expired.transaction.cleanup.interval.ms': `${transactionalIds.checkIntervalMs}`,
        'producer.id.expiration.ms': `${producers.expirationMs}`,
        'producer.id.expiration.check.interval.ms': `${producers.checkIntervalMs}`,
      },
    },
    signal,
  )
  const harness = await harnessOf(cluster.bootstrap, patienceMs)
  return {
    ...harness,
    stopBroker: (broker) => cluster.killBroker(broker, 'SIGTERM'),
    startBroker: (broker) => cluster.restartBroker(broker),
    close: async () => {
      await harness.close()
      await cluster.stop()
    },
  }
}

takeoverContract('a real cluster that forgets soon', start)
