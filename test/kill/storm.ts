/** Kills replicators and brokers at random moments under load, and looks afterwards at every record. */
import { setTimeout as delay } from 'node:timers/promises'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import type { LocalCluster } from '../../replicator/local/local-cluster.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { compareTopics } from '../../replicator/verify/compare-topics.ts'
import type { VerifyReport } from '../../replicator/verify/report.ts'
import { type ReplicateProcess, until } from '../integration/replicate-process.ts'
import { SeededRandom } from '../simulation/seeded-random.ts'
import { Load, type LoadCounts, loadTopics } from './load.ts'
import { readFingerprints } from './read-records.ts'
import { Replicators } from './replicators.ts'
import { compareSequences, type SequenceDifference } from './sequence-check.ts'

export interface StormOptions {
  /** Three brokers each. */
  readonly source: LocalCluster
  readonly target: LocalCluster
  /** For the replicators' configuration files. */
  readonly folder: string
  readonly seed: number
  /** kill -9 of a replicator. */
  readonly kills: number
  /** A broker is killed (-9) or stopped, and started again. */
  readonly brokerRestarts: number
  /** Upper bound of the pause before each kill, in milliseconds. */
  readonly killPauseMsMax: number
  /** Upper bound of the pause before each broker restart, in milliseconds. */
  readonly brokerPauseMsMax: number
  /** Pause between two requests of a writer, in milliseconds. */
  readonly paceMs: number
  readonly say: (line: string) => void
}

export interface StormReport {
  readonly seed: number
  readonly kills: Readonly<Record<KillKind, number>>
  readonly brokerRestarts: { readonly killed: number; readonly stopped: number }
  readonly load: LoadCounts
  readonly records: { readonly source: number; readonly target: number }
  readonly lost: number
  readonly duplicated: number
  readonly reordered: number
  readonly foreign: number
  /** What verify says of the same logs. */
  readonly verified: boolean
  /** Replicators that ended without being killed, with their last words. */
  readonly crashes: readonly string[]
  /** Whether the last replicator drained with code 0. */
  readonly drained: boolean
  readonly seconds: number
  readonly differences: Readonly<Record<string, SequenceDifference>>
}

/**
 * `restart`: killed and started again at once. `overlap`: a second one runs beside the first before that is killed.
 * `zombie`: the first is stopped (SIGSTOP), a second takes over, the first goes on (SIGCONT) and is killed a little later.
 */
type KillKind = 'restart' | 'overlap' | 'zombie'

const instanceIds = ['storm-1', 'storm-2', 'storm-3'] as const

/** How long a copy may take to catch up after the storm. */
const catchUpMsMax = 120_000

/** Runs the storm. What it finds is in the report; it throws only where the machinery fails. */
export async function runStorm(options: StormOptions): Promise<StormReport> {
  const startedMs = performance.now()
  const { source, target, folder, seed, say } = options
  const random = new SeededRandom(seed)
  say(`seed ${seed}`)
  await createTopics(source)
  const replicators = new Replicators(folder, configuration(source, target))
  try {
    const load = new Load(source.bootstrap, random.fork(), options.paceMs)
    const first = await replicators.start(instanceIds[0])
    const [{ last, kills }, brokerRestarts] = await Promise.all([
      killReplicators(replicators, first, random.fork(), options),
      restartBrokers(random.fork(), options),
    ])
    const counts = await load.stop()
    say(`storm over, ${counts.acknowledged} records acknowledged; catching up`)
    const verified = await caughtUp(options, replicators)
    const drained = await replicators.drain(last)
    const { records, differences } = await compareRecords(source, target)
    const sum = (name: 'lost' | 'duplicated' | 'reordered' | 'foreign') =>
      Object.values(differences).reduce((total, difference) => total + difference[name], 0)
    return {
      seed,
      kills,
      brokerRestarts,
      load: counts,
      records,
      lost: sum('lost'),
      duplicated: sum('duplicated'),
      reordered: sum('reordered'),
      foreign: sum('foreign'),
      verified: verified.identical,
      crashes: replicators.crashes,
      drained,
      seconds: Math.round((performance.now() - startedMs) / 1000),
      differences,
    }
  } finally {
    await replicators.close()
  }
}

function configuration(source: LocalCluster, target: LocalCluster): object {
  return {
    name: 'storm',
    pattern: 'active-passive',
    regions: {
      'us-east': { role: 'active', bootstrap: [...source.bootstrap] },
      'eu-west': { role: 'passive', bootstrap: [...target.bootstrap] },
    },
    topics: loadTopics.map(({ name }) => ({ name })),
    replication: { shards: 4 },
  }
}

async function createTopics(source: LocalCluster): Promise<void> {
  const cluster = connect('us-east', source)
  try {
    const configs = new Map([['min.insync.replicas', '2']])
    await cluster.createTopics(
      loadTopics.map(({ name, partitions }) => ({ name, partitions, replicationFactor: 3, configs })),
    )
    await until('the topics have leaders', async () => {
      const found = await cluster.describeTopics(loadTopics.map(({ name }) => name))
      const areThere = [...found.values()].every(
        (lookup) =>
          lookup.kind === 'found' && lookup.topic.partitions.every(({ leader }) => leader !== undefined),
      )
      return areThere || undefined
    })
  } finally {
    await cluster.close()
  }
}

function connect(alias: string, { bootstrap }: LocalCluster): Cluster {
  return createKafkaCluster({
    alias: regionAlias(alias),
    settings: { bootstrap, clientId: 'storm' },
    clock: systemClock,
    random: systemRandom,
  })
}

async function killReplicators(
  replicators: Replicators,
  first: ReplicateProcess,
  random: SeededRandom,
  { kills, killPauseMsMax, say }: StormOptions,
): Promise<{ readonly last: ReplicateProcess; readonly kills: Record<KillKind, number> }> {
  const counts = { restart: 0, overlap: 0, zombie: 0 }
  let present = first
  let place: string = instanceIds[0]
  for (let kill = 1; kill <= kills; kill++) {
    // Every other one must have got to work; the rest is killed at any moment of its start too.
    const waits = random.chance(0.5)
    const forwarded = waits ? await replicators.forwards(present, 30_000) : undefined
    await delay(random.between(0, killPauseMsMax))
    const kind = random.pick<KillKind>(['restart', 'restart', 'restart', 'overlap', 'zombie'])
    // Static members (of a StatefulSet, say) take their predecessor's place; others wait for the end of its session.
    const id = random.chance(0.25)
      ? undefined
      : kind === 'restart'
        ? place
        : random.pick(instanceIds.filter((other) => other !== place))
    const next = await replace(kind, replicators, present, id, random)
    place = id ?? place
    counts[kind]++
    say(`kill ${kill}: ${kind}${forwarded === false ? ' (it had not forwarded anything within 30 s)' : ''}`)
    present = next
  }
  return { last: present, kills: counts }
}

async function replace(
  kind: KillKind,
  replicators: Replicators,
  present: ReplicateProcess,
  instanceId: string | undefined,
  random: SeededRandom,
): Promise<ReplicateProcess> {
  if (kind === 'restart') {
    await replicators.kill(present)
    return replicators.start(instanceId)
  }
  if (kind === 'zombie') present.child.kill('SIGSTOP')
  const next = await replicators.start(instanceId)
  if (kind === 'zombie') {
    await replicators.forwards(next, random.between(1000, 12_000))
    present.child.kill('SIGCONT')
    await delay(random.between(200, 2000))
  } else {
    await delay(random.between(500, 4000))
  }
  await replicators.kill(present)
  return next
}

async function restartBrokers(
  random: SeededRandom,
  { source, target, brokerRestarts, brokerPauseMsMax, say }: StormOptions,
): Promise<{ readonly killed: number; readonly stopped: number }> {
  const counts = { killed: 0, stopped: 0 }
  for (let restart = 1; restart <= brokerRestarts; ) {
    await delay(random.between(brokerPauseMsMax / 4, brokerPauseMsMax))
    // Now and then both sides lose a broker at the same time.
    const both = restart < brokerRestarts && random.chance(0.2)
    const sides = both ? [source, target] : [random.pick([source, target])]
    const plans = sides.map((side) => ({
      side,
      id: random.between(1, 3),
      signal: random.pick(['SIGKILL', 'SIGTERM'] as const),
      downMs: random.between(0, 3000),
    }))
    await Promise.all(
      plans.map(async ({ side, id, signal, downMs }) => {
        await side.killBroker(id, signal)
        await delay(downMs)
        await side.restartBroker(id)
        counts[signal === 'SIGKILL' ? 'killed' : 'stopped']++
        say(`broker restart ${restart++}: ${side.alias} ${id} ${signal}, down for ${downMs} ms and its start`)
      }),
    )
  }
  return counts
}

/** Compares with verify until nothing is missing any more. */
async function caughtUp(
  { source, target, say }: StormOptions,
  replicators: Replicators,
): Promise<VerifyReport> {
  const [from, to] = [connect('us-east', source), connect('eu-west', target)]
  const pairs = loadTopics.map(({ name, partitions }) => ({
    sourceTopic: name,
    targetTopic: name,
    partitions: Array.from({ length: partitions }, (_, partition) => partition),
  }))
  try {
    const end = performance.now() + catchUpMsMax
    for (;;) {
      const report = await compareTopics({
        source: from,
        target: to,
        pairs,
        clock: systemClock,
        random: systemRandom,
        signal: AbortSignal.timeout(catchUpMsMax),
      })
      const isWhole = report.partitions.every(
        ({ verdict, differences }) => verdict !== 'unreadable' && differences.missing === 0,
      )
      if (isWhole) return report
      if (performance.now() > end) {
        say(`not caught up:\n${JSON.stringify(report.partitions, undefined, 1)}\n${replicators.tails()}`)
        return report
      }
      await delay(500)
    }
  } finally {
    await Promise.all([from.close(), to.close()])
  }
}

async function compareRecords(source: LocalCluster, target: LocalCluster) {
  const topics = loadTopics.map(({ name }) => name)
  const [from, to] = await Promise.all(
    [source, target].map(({ bootstrap }) =>
      readFingerprints(kafkajsClient('storm-reader', bootstrap), topics),
    ),
  )
  const count = (all: ReadonlyMap<string, readonly string[]> | undefined) =>
    [...(all?.values() ?? [])].reduce((total, { length }) => total + length, 0)
  const differences: Record<string, SequenceDifference> = {}
  for (const [place, records] of from ?? [])
    differences[place] = compareSequences(records, to?.get(place) ?? [])
  return { records: { source: count(from), target: count(to) }, differences }
}
