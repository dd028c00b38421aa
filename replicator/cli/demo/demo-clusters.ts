import type { Kafka } from 'kafkajs'
import { findBrokerSource } from '../../local/docker-installation.ts'
import { givenBrokers } from '../../local/given-brokers.ts'
import type { BrokerSource } from '../../local/kafka-files.ts'
import { startLocalCluster } from '../../local/local-cluster.ts'
import { CommandFailure } from '../command-failure.ts'
import { exitCode } from '../exit-codes.ts'

/** A region's cluster, started for the demo or given by hand. */
export interface DemoCluster {
  readonly alias: string
  readonly bootstrap: readonly string[]
  readonly given: boolean
  stop(): Promise<void>
}

/**
 * What the regions need: brokers that are given need nothing.
 * @throws LocalError
 */
export async function brokersFor(
  aliases: readonly string[],
  env: NodeJS.ProcessEnv,
  onProgress: (text: string) => void,
  signal: AbortSignal,
): Promise<BrokerSource | undefined> {
  if (aliases.every((alias) => givenBrokers(alias, env) !== undefined)) return undefined
  return findBrokerSource({ onProgress, env }, signal)
}

/**
 * Starts a cluster per region, all at once; all or none.
 * @throws LocalError
 */
export async function startDemoClusters(
  aliases: readonly string[],
  installation: BrokerSource | undefined,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<readonly DemoCluster[]> {
  const stop = new AbortController()
  const together = AbortSignal.any([signal, stop.signal])
  const starting = aliases.map((alias) => startOne(alias, installation, env, together))
  for (const one of starting) one.catch((error: unknown) => stop.abort(error))
  const outcomes = await Promise.allSettled(starting)
  const started = outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : []))
  if (started.length === aliases.length) return started
  await Promise.all(started.map((cluster) => cluster.stop()))
  throw together.reason
}

async function startOne(
  alias: string,
  installation: BrokerSource | undefined,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<DemoCluster> {
  const bootstrap = givenBrokers(alias, env)
  if (bootstrap !== undefined) return { alias, bootstrap, given: true, stop: async () => {} }
  if (installation === undefined) throw new Error(`${alias} has no brokers and nothing to start them with`)
  const cluster = await startLocalCluster({ alias, installation }, signal)
  return { alias, bootstrap: cluster.bootstrap, given: false, stop: () => cluster.stop() }
}

/**
 * Makes sure that the demo writes into nobody's topics.
 * @throws CommandFailure naming the topics that are already there
 */
export async function refuseUsedTopics(
  alias: string,
  client: Kafka,
  topics: readonly string[],
): Promise<void> {
  const admin = client.admin()
  try {
    await admin.connect()
    const present = new Set(await admin.listTopics())
    const used = topics.filter((topic) => present.has(topic))
    if (used.length === 0) return
    throw new CommandFailure(
      exitCode.usage,
      `${alias} already has ${used.join(', ')}: the demo writes only to topics of its own.\nDelete them there, or let the demo start its own brokers.`,
    )
  } finally {
    await admin.disconnect()
  }
}
