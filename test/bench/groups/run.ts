/**
 * `npm run bench:groups`: how soon commits of 1 000 consumer groups are on the target, where the source's offsets topic
 * is readable, and where it is not, so that the groups are polled.
 *
 *   npm run bench:groups -- [--groups N] [--every MS] [--seconds N] [--json FILE]
 *
 * Groups keep up with a steady load; each commits three partitions every two seconds. A commit is followed when the
 * target's offsets topic shows the copy's offset of its position, or a later one.
 */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import kafkajs from 'kafkajs'
import { kafkajsClient } from '../../../replicator/cli/demo/kafkajs-client.ts'
import { installKafka } from '../../../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../../../replicator/local/local-cluster.ts'
import { startWatchdog } from '../../../replicator/local/watchdog.ts'
import { BenchCluster } from '../bench-cluster.ts'
import { describeMachine } from '../machine.ts'
import { type FreshnessReport, freshnessTable, isFresh } from './freshness-table.ts'
import {
  deletedOfEach,
  type FreshnessPlan,
  type FreshnessResult,
  measureFreshness,
} from './measure-freshness.ts'
import { SteadyWriter } from './steady-writer.ts'

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs

const topic = 'bench-groups'
const goalMs = 1000

function say(line: string): void {
  process.stderr.write(`${process.uptime().toFixed(0).padStart(5)} s  ${line}\n`)
}

const { values } = parseArgs({
  options: {
    groups: { type: 'string', default: '1000' },
    every: { type: 'string', default: '2000' },
    seconds: { type: 'string', default: '40' },
    json: { type: 'string' },
  },
})
const whole = (option: 'groups' | 'every' | 'seconds'): number => {
  const value = Number(values[option])
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${option} takes a whole number above 0`)
  return value
}
const plan: FreshnessPlan = {
  groups: whole('groups'),
  partitions: 12,
  partitionsPerGroup: 3,
  everyMs: whole('every'),
  recordsPerSecond: 1200,
  baselineSeconds: 8,
  warmUpSeconds: 6,
  seconds: whole('seconds'),
}

/** Everybody may do everything, until a rule says otherwise. */
const open: Readonly<Record<string, string>> = {
  'authorizer.class.name': 'org.apache.kafka.metadata.authorizer.StandardAuthorizer',
  'allow.everyone.if.no.acl.found': 'true',
}

/** From now on the offsets topic may be described, not read. */
async function denyReadingOffsets({ bootstrap }: LocalCluster): Promise<void> {
  const admin = kafkajsClient('bench-groups', bootstrap).admin()
  await admin.connect()
  const rule = {
    resourceType: AclResourceTypes.TOPIC,
    resourceName: '__consumer_offsets',
    resourcePatternType: ResourcePatternTypes.LITERAL,
    principal: 'User:ANONYMOUS',
    host: '*',
  }
  const [describe, read] = [AclOperationTypes.DESCRIBE, AclOperationTypes.READ]
  const { ALLOW, DENY } = AclPermissionTypes
  await admin.createAcls({
    acl: [
      { ...rule, operation: describe, permissionType: ALLOW },
      { ...rule, operation: read, permissionType: DENY },
    ],
  })
  await admin.disconnect()
}

function told({ by, followedMs, firstMs, cpu, cpuWithoutCommits, ...rest }: FreshnessResult): string {
  const ms = (times: { median: number; p99: number; max: number }) =>
    `median ${times.median.toFixed(0)} ms, p99 ${times.p99.toFixed(0)} ms, max ${times.max.toFixed(0)} ms`
  return [
    `by ${by}: ${ms(followedMs)}, of ${rest.samples} at ${rest.commitsPerSecond.toFixed(0)} commits/s`,
    `  first commits after a pause: ${ms(firstMs)}`,
    `  ${rest.unseen} never seen, ${rest.wrong} wrong at the end, ${rest.ahead} ahead`,
    `  CPU ${(cpu * 100).toFixed(0)} % of a core, ${(cpuWithoutCommits * 100).toFixed(0)} % while nobody commits; brokers ${(rest.brokersCpu.source * 100).toFixed(0)} % and ${(rest.brokersCpu.target * 100).toFixed(0)} %; ${(rest.rssPeakBytes / 2 ** 20).toFixed(0)} MiB`,
  ].join('\n')
}

async function measure(
  clusters: readonly [LocalCluster, LocalCluster],
  folder: string,
): Promise<Readonly<Record<'readable' | 'polled', FreshnessResult>>> {
  const { signal } = new AbortController()
  const [source, target] = [
    await BenchCluster.connect(clusters[0].bootstrap[0]!),
    await BenchCluster.connect(clusters[1].bootstrap[0]!),
  ]
  await source.createTopic(topic, plan.partitions)
  const counts = { partitions: plan.partitions, records: 2 * deletedOfEach }
  const writer = await SteadyWriter.fill([source.bootstrap], topic, counts)
  await source.deleteRecords(
    topic,
    writer.ends.map(() => deletedOfEach),
  )
  const [sourcePid, targetPid] = clusters.map(({ brokers }) => brokers[0]!.pid)
  const brokerPids = { source: sourcePid!, target: targetPid! }
  const run = async (id: string): Promise<FreshnessResult> => {
    const jobFolder = join(folder, `job-${id}`)
    await mkdir(jobFolder)
    const bootstraps = { sourceBootstrap: source.bootstrap, targetBootstrap: target.bootstrap }
    const job = { id, folder: jobFolder, topic, ...bootstraps }
    const result = await measureFreshness({ job, source, target, brokerPids, writer, plan, say }, signal)
    process.stdout.write(`${told(result)}\n`)
    return result
  }
  try {
    const readable = await run('readable')
    await denyReadingOffsets(clusters[0])
    const polled = await run('polled')
    if (readable.by !== 'offsets-topic' || polled.by !== 'polling')
      throw new Error(`followed by ${readable.by} and then by ${polled.by}`)
    return { readable, polled }
  } finally {
    await writer.close()
    await Promise.all([source.close(), target.close()])
  }
}

async function main(): Promise<boolean> {
  const { signal } = new AbortController()
  const installation = await installKafka({ onProgress: say }, signal)
  const folder = await mkdtemp(join(tmpdir(), 'causeway-groups-'))
  const watchdog = startWatchdog(folder)
  const clusters: LocalCluster[] = []
  try {
    const start = async (alias: string, brokerConfig: Readonly<Record<string, string>>) => {
      const options = {
        alias,
        installation,
        folder,
        heapMb: 1024,
        tuning: 'throughput',
        brokerConfig,
      } as const
      const cluster = await startLocalCluster(options, signal)
      clusters.push(cluster)
      return cluster
    }
    const pair = [await start('groups-source', open), await start('groups-target', {})] as const
    const results = await measure(pair, folder)
    const machine = await describeMachine({
      javaPath: installation.javaPath,
      kafkaVersion: installation.version,
      date: new Date(),
    })
    // More than the cores can do means that others were at work too, and that a quiet machine does better.
    const machineLoad = loadavg().map((average) => Math.round(average * 10) / 10)
    const report: FreshnessReport = { machine, machineLoad, goalMs, plan, ...results }
    process.stdout.write(`${freshnessTable(report)}\n`)
    if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, undefined, 2)}\n`)
    return isFresh(report)
  } finally {
    await Promise.all(clusters.map((cluster) => cluster.stop()))
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    await watchdog.end()
  }
}

process.exit((await main()) ? 0 : 1)
