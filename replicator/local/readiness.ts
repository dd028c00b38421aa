import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import {
  Connection,
  type ConnectionOptions,
  createTopicsV7,
  deleteTopicsV6,
  findCoordinatorV6,
  initProducerIdV5,
  metadataV12,
  produceV11,
} from '@platformatic/kafka'

/** Asks until the answer is good; the last failure is told when time is up. */
export interface ProbeLimits {
  /** When to give up, on performance.now()'s clock. */
  readonly deadlineMs: number
  readonly signal: AbortSignal
  /** Called between tries; throws when trying on is pointless, as when a broker has ended. */
  readonly check: () => void | Promise<void>
}

/** Milliseconds between tries. Brokers answer wrongly for a second or two while they start. */
const pauseMs = 25

/** Opens a connection to a broker that speaks for as long as `use` runs. */
export async function withConnection<T>(
  port: number,
  options: ConnectionOptions,
  use: (connection: Connection) => Promise<T>,
): Promise<T> {
  const connection = new Connection('causeway-local', {
    connectTimeout: 2000,
    requestTimeout: 10_000,
    ...options,
  })
  // Failures reach us through the promises; an 'error' event without a listener would end the process.
  connection.on('error', () => {})
  try {
    await connection.connect('127.0.0.1', port)
    return await use(connection)
  } finally {
    await connection.close().catch(() => {})
  }
}

/**
 * Repeats `step` until it succeeds.
 * @throws what `check` throws, the signal's reason, or an Error naming `what` with the last failure as its cause.
 */
async function untilWorks<T>(what: string, limits: ProbeLimits, step: () => Promise<T>): Promise<T> {
  for (;;) {
    limits.signal.throwIfAborted()
    await limits.check()
    try {
      return await step()
    } catch (error) {
      if (performance.now() > limits.deadlineMs)
        throw new Error(`${what} did not succeed in time`, { cause: error })
    }
    await delay(pauseMs)
  }
}

/**
 * Resolves once the cluster does all that clients need: every broker is registered, a topic is made, a record is
 * acknowledged, and the coordinators of transactions and groups answer. The topic is deleted again.
 */
export async function waitUntilUsable(
  ports: readonly number[],
  options: ConnectionOptions,
  limits: ProbeLimits,
): Promise<void> {
  const [first] = ports
  if (first === undefined) throw new Error('a cluster has at least one broker')
  await untilWorks('Reaching every broker', limits, () =>
    withConnection(first, options, async (connection) => {
      const metadata = await metadataV12.api.async(connection, [], false, false)
      if (metadata.brokers.length < ports.length) {
        throw new Error(`${metadata.brokers.length} of ${ports.length} brokers are registered`)
      }
    }),
  )
  const topic = `causeway-ready-${randomBytes(4).toString('hex')}`
  await Promise.all([
    produceOneRecord(topic, first, options, limits),
    waitForTransactions(topic, first, options, limits),
    waitForGroups(topic, first, options, limits),
  ])
}

/** Resolves once the broker answers on `port` and the metadata it gives lists itself. */
export async function waitUntilListed(
  id: number,
  port: number,
  options: ConnectionOptions,
  limits: ProbeLimits,
): Promise<void> {
  await untilWorks(`Reaching broker ${id}`, limits, () =>
    withConnection(port, options, async (connection) => {
      const metadata = await metadataV12.api.async(connection, [], false, false)
      if (!metadata.brokers.some(({ nodeId }) => nodeId === id)) throw new Error('it is not registered yet')
    }),
  )
}

async function produceOneRecord(
  topic: string,
  port: number,
  options: ConnectionOptions,
  limits: ProbeLimits,
): Promise<void> {
  await untilWorks('Creating a topic', limits, () =>
    withConnection(port, options, async (connection) => {
      const wanted = { name: topic, numPartitions: 1, replicationFactor: -1, assignments: [], configs: [] }
      // A try that timed out may have made it after all.
      const made = await metadataV12.api.async(connection, [topic], false, false).catch(() => undefined)
      if (made?.topics[0]?.errorCode === 0) return
      await createTopicsV7.api.async(connection, [wanted], 5000, false)
    }),
  )
  await untilWorks('Producing a record', limits, async () => {
    const leaderPort = await withConnection(port, options, async (connection) => {
      const metadata = await metadataV12.api.async(connection, [topic], false, false)
      const leader = metadata.topics[0]?.partitions[0]?.leaderId
      const broker = metadata.brokers.find(({ nodeId }) => nodeId === leader)
      if (broker === undefined) throw new Error('the topic has no leader yet')
      return broker.port
    })
    await withConnection(leaderPort, options, async (connection) => {
      await produceV11.api.async(
        connection,
        -1,
        5000,
        [{ topic, partition: 0, value: Buffer.from('ready') }],
        {
          compression: 'none',
        },
      )
    })
  })
  await withConnection(port, options, async (connection) => {
    await deleteTopicsV6.api.async(connection, [{ name: topic }], 5000)
  })
}

async function waitForTransactions(
  id: string,
  port: number,
  options: ConnectionOptions,
  limits: ProbeLimits,
): Promise<void> {
  await untilWorks('Reaching the transaction coordinator', limits, async () => {
    const coordinator = await findCoordinator(1, id, port, options)
    await withConnection(coordinator, options, async (connection) => {
      await initProducerIdV5.api.async(connection, id, 60_000, -1n, -1)
    })
  })
}

async function waitForGroups(
  id: string,
  port: number,
  options: ConnectionOptions,
  limits: ProbeLimits,
): Promise<void> {
  await untilWorks('Reaching the group coordinator', limits, () => findCoordinator(0, id, port, options))
}

/** Port of the coordinator of a group (0) or a transactional id (1). Asking makes the brokers create its topic. */
async function findCoordinator(
  kind: 0 | 1,
  key: string,
  port: number,
  options: ConnectionOptions,
): Promise<number> {
  return withConnection(port, options, async (connection) => {
    const { coordinators } = await findCoordinatorV6.api.async(connection, kind, [key])
    const found = coordinators[0]
    if (found === undefined || found.errorCode !== 0) throw new Error('no coordinator yet')
    return found.port
  })
}
