/** MirrorMaker 2 in its dedicated mode, from the same Maven artifacts as the brokers. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CopyJob, System } from './system.ts'

/**
 * What Kafka's own start script passes to the JVM (bin/connect-mirror-maker.sh, kafka-run-class.sh): as shipped means
 * with this heap and this collector too.
 */
const jvmOptions = [
  '-Xms256M',
  '-Xmx2G',
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
  '-XX:MaxInlineLevel=15',
  '-Djava.awt.headless=true',
  // Our own addition: without a configuration Log4j shows errors only.
  '-Dlog4j2.level=WARN',
]

const mebibyte = 1024 * 1024

/**
 * MirrorMaker 2 with nothing set but what a copy needs: clusters, the flow, the topic, and replication factor 1 for
 * clusters of one broker. Heartbeats and checkpoints are on, as they are by default.
 */
export function mirrorMaker2AsShipped(java: {
  readonly javaPath: string
  readonly classPath: string
}): System {
  return mirrorMaker2('mirrormaker2', java, () => [])
}

/**
 * MirrorMaker 2 as an operator would tune it for throughput: larger polls, fetches and producer batches. The keys
 * sit where they take effect: the consumer's on the flow's source side, the data producer's on the target cluster,
 * because it is the Connect worker's producer.
 */
export function mirrorMaker2Tuned(java: { readonly javaPath: string; readonly classPath: string }): System {
  return mirrorMaker2('mirrormaker2-tuned', java, ({ source, target }) => [
    `${source}->${target}.source.consumer.max.poll.records = 10000`,
    `${source}->${target}.source.consumer.max.partition.fetch.bytes = ${4 * mebibyte}`,
    `${source}->${target}.source.consumer.fetch.max.bytes = ${64 * mebibyte}`,
    `${source}->${target}.source.consumer.receive.buffer.bytes = -1`,
    `${target}.producer.batch.size = ${512 * 1024}`,
    `${target}.producer.linger.ms = 5`,
    `${target}.producer.max.request.size = ${16 * mebibyte}`,
    `${target}.producer.buffer.memory = ${128 * mebibyte}`,
    `${target}.producer.send.buffer.bytes = -1`,
  ])
}

/** How often MirrorMaker 2 makes checkpoints and writes group offsets when it is told to, in seconds. Default 60. */
export const groupSyncSeconds = 1
/** How often it flushes source offsets, and with them the newest offset sync, in milliseconds. Default 60 000. */
export const offsetFlushMs = 5_000

/**
 * MirrorMaker 2 as shipped, told to write group offsets to the target. Its intervals are shortened, or a run would have
 * to wait minutes; what it writes in the end is the same. `offset.lag.max`, which says how exact that is, stays at its
 * default of 100.
 */
export function mirrorMaker2WithGroups(java: {
  readonly javaPath: string
  readonly classPath: string
}): System {
  return mirrorMaker2('mirrormaker2', java, ({ source, target }, { groups }) => [
    `${source}->${target}.groups = ${groups ?? ''}`,
    `${source}->${target}.sync.group.offsets.enabled = true`,
    `${source}->${target}.sync.group.offsets.interval.seconds = ${groupSyncSeconds}`,
    `${source}->${target}.emit.checkpoints.interval.seconds = ${groupSyncSeconds}`,
    // The worker's, which is the target's; without the alias it has no effect.
    `${target}.offset.flush.interval.ms = ${offsetFlushMs}`,
  ])
}

interface Aliases {
  readonly source: string
  readonly target: string
}

/** The alias is part of every name that MirrorMaker 2 makes, offsets included: a new one is a fresh start. */
function aliasesOf(job: CopyJob): Aliases {
  return { source: `source${job.id}`, target: `target${job.id}` }
}

function mirrorMaker2(
  name: 'mirrormaker2' | 'mirrormaker2-tuned',
  java: { readonly javaPath: string; readonly classPath: string },
  tuning: (aliases: Aliases, job: CopyJob) => readonly string[],
): System {
  return {
    name,
    missing: () => undefined,
    wantsTargetTopic: false,
    targetTopic: (job) => `${aliasesOf(job).source}.${job.topic}`,
    async prepare(job) {
      const aliases = aliasesOf(job)
      const file = join(job.folder, 'mm2.properties')
      await writeFile(file, `${[...properties(job, aliases), ...tuning(aliases, job)].join('\n')}\n`)
      return {
        file: java.javaPath,
        args: [...jvmOptions, '-cp', java.classPath, 'org.apache.kafka.connect.mirror.MirrorMaker', file],
      }
    },
  }
}

function properties(job: CopyJob, { source, target }: Aliases): string[] {
  return [
    `clusters = ${source}, ${target}`,
    `${source}.bootstrap.servers = ${job.sourceBootstrap}`,
    `${target}.bootstrap.servers = ${job.targetBootstrap}`,
    `${source}->${target}.enabled = true`,
    `${source}->${target}.topics = ${job.topic}`,
    'replication.factor = 1',
    'checkpoints.topic.replication.factor = 1',
    'heartbeats.topic.replication.factor = 1',
    'offset-syncs.topic.replication.factor = 1',
    'offset.storage.replication.factor = 1',
    'config.storage.replication.factor = 1',
    'status.storage.replication.factor = 1',
  ]
}
