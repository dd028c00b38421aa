import type { ProducerExpiry } from './partition-log.ts'
import type { TransactionalIdExpiry } from './transaction-coordinator.ts'

/** Brokers' own configs that a client may want to know, with Kafka's defaults where the simulation has no option. */
export const brokerConfigs = (
  ids: TransactionalIdExpiry,
  producers: ProducerExpiry,
): ReadonlyMap<string, string> =>
  new Map([
    ['transactional.id.expiration.ms', `${ids.expirationMs}`],
    ['transaction.remove.expired.transaction.cleanup.interval.ms', `${ids.checkIntervalMs}`],
    ['transaction.max.timeout.ms', '900000'],
    ['producer.id.expiration.ms', `${producers.expirationMs}`],
    ['producer.id.expiration.check.interval.ms', `${producers.checkIntervalMs}`],
    ['group.min.session.timeout.ms', '6000'],
    ['group.max.session.timeout.ms', '1800000'],
  ])
