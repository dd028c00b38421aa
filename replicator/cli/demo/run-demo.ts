import { constants } from 'node:fs'
import { access, stat, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { systemRandom } from '../../clock/random.ts'
import { systemClock } from '../../clock/system-clock.ts'
import type { FlowEvent } from '../../flow/events.ts'
import type { BrokerSource } from '../../local/kafka-files.ts'
import { logLineOf } from '../../processes/event-log.ts'
import { CommandFailure } from '../command-failure.ts'
import { exitCode } from '../exit-codes.ts'
import { type Output, openOutput } from '../output.ts'
import { brokersFor, type DemoCluster, refuseUsedTopics, startDemoClusters } from './demo-clusters.ts'
import type { DemoResult } from './demo-result.ts'
import { explore } from './explore.ts'
import { kafkajsClient } from './kafkajs-client.ts'
import { type LiveReplication, readDemoConfig, replicateLive } from './replicate-live.ts'
import { createFirstTopics, orderWorkload, type Workload, type WorkloadTally } from './run-workload.ts'
import { bar, openSteps, type Steps } from './steps.ts'
import { counted, grouped, seconds, story } from './verdict-text.ts'
import { conclude, printVerdict, recordsIn, type VerifiedCopy, verifyCopy } from './verify-copy.ts'
import { planWorkload, type WorkloadPlan } from './workload-plan.ts'

export interface DemoOptions {
  /** Records to write, those of aborted transactions included. */
  readonly records: number
  /** Leave clusters and replication running afterwards, until the signal. */
  readonly keep: boolean
  /** File for the result. */
  readonly json?: string
}

const sourceAlias = 'us-east'
const targetAlias = 'eu-west'

/** Everything that the parts of the demo share while it runs. */
interface Stage {
  readonly steps: Steps
  readonly output: Output
  readonly signal: AbortSignal
  /** What must be undone, last first. */
  readonly undo: AsyncDisposableStack
}

/** Both regions up, the topology declared, replication at work and nothing written yet. */
interface Scene {
  readonly startMs: number
  readonly installation: BrokerSource | undefined
  readonly source: DemoCluster
  readonly target: DemoCluster
  readonly plan: WorkloadPlan
  readonly replication: LiveReplication
  readonly workload: Workload
  readonly lateTopics: Map<string, { createdMs: number; copiedMs?: number }>
}

/**
 * The demo from beginning to end. Whatever happens, replication is stopped and the brokers are gone when it returns.
 * @returns the exit code: 0 only when the copy is identical
 * @throws LocalError, CommandFailure, or the signal's reason
 */
export async function runDemo(options: DemoOptions, signal: AbortSignal): Promise<number> {
  if (options.json !== undefined) await checkWritable(options.json)
  const output = openOutput()
  const steps = openSteps(output)
  const undo = new AsyncDisposableStack()
  const stage: Stage = { steps, output, signal, undo }
  undo.defer(() => steps.close())
  const beganMs = systemClock.monotonicMs()
  try {
    const scene = await setScene(stage, planWorkload(options.records))
    const { coldStartMs, tally } = await play(stage, scene)
    const verified = await compare(stage, scene, tally)
    const durationMs = systemClock.monotonicMs() - beganMs
    const result = resultOf({ scene, steps, tally, verified, coldStartMs, durationMs })
    printVerdict(output, verified.verdict, tally)
    output.line('')
    for (const line of story(result)) output.line(line)
    const code = conclude(output, verified.verdict)
    if (options.json !== undefined) await writeFile(options.json, `${JSON.stringify(result, undefined, 2)}\n`)
    if (options.keep) await explore({ ...scene, output, undo, signal })
    return code
  } finally {
    await undo.disposeAsync()
  }
}

async function checkWritable(file: string): Promise<void> {
  const folder = dirname(resolve(file))
  try {
    await access(folder, constants.W_OK)
    if ((await stat(folder)).isDirectory()) return
  } catch {
    // Said below.
  }
  throw new CommandFailure(exitCode.usage, `--json ${file} cannot be written: no writable folder ${folder}`)
}

async function setScene(stage: Stage, plan: WorkloadPlan): Promise<Scene> {
  const { output, steps, signal, undo } = stage
  const aliases = [sourceAlias, targetAlias]
  const arrow = `${sourceAlias} -> ${targetAlias}`
  output.note(
    `${output.styledNote('bold', 'Causeway')}  ${arrow}, live, on real Kafka brokers of this machine`,
  )
  output.note('')

  const finding = steps.begin('Looking for Apache Kafka')
  const installation = await brokersFor(aliases, process.env, (text) => finding.update(text), signal)
  const how = installation === undefined ? '' : `${installation.version}, ${installation.kind}`
  finding.done(installation === undefined ? 'Using the brokers given' : 'Apache Kafka is here', how)

  const starting = steps.begin(`Starting ${aliases.join(' and ')}`)
  const startMs = systemClock.monotonicMs()
  const clusters = await startDemoClusters(aliases, installation, process.env, signal)
  for (const cluster of clusters) undo.defer(() => cluster.stop())
  const [source, target] = clusters
  if (source === undefined || target === undefined) throw new Error('a region has no cluster')
  const client = kafkajsClient('shop', source.bootstrap)
  const topics = plan.topics.map(({ name }) => name)
  if (source.given) await refuseUsedTopics(source.alias, client, topics)
  if (target.given) await refuseUsedTopics(target.alias, kafkajsClient('shop', target.bootstrap), topics)
  const addresses = clusters.map(({ bootstrap }) => bootstrap.join(',')).join('  ')
  starting.done(`${aliases.join(' and ')} are up`, addresses)

  const declaring = steps.begin('Starting replication')
  await createFirstTopics(client, plan, systemClock, signal)
  signal.throwIfAborted()
  const config = readDemoConfig({ [source.alias]: source.bootstrap, [target.alias]: target.bootstrap })
  const lateTopics: Scene['lateTopics'] = new Map()
  const announce = (event: FlowEvent): void => {
    const late = event.kind === 'target-topic-created' ? lateTopics.get(event.topic) : undefined
    if (late !== undefined) late.copiedMs = systemClock.monotonicMs()
    const { level, message } = logLineOf(event)
    if (level !== 'info') steps.note(output.styledNote(level === 'warn' ? 'yellow' : 'red', message))
  }
  const replication = replicateLive({ config, clock: systemClock, random: systemRandom, announce })
  undo.defer(() => replication.stop())
  declaring.done('causeway.yaml declared, replication started', `${config.topology.pattern}, ${arrow}`)
  const workload = orderWorkload({
    client,
    plan,
    clock: systemClock,
    random: systemRandom,
    onTopicCreating: (topic) => lateTopics.set(topic, { createdMs: systemClock.monotonicMs() }),
  })
  return { startMs, installation, source, target, plan, replication, workload, lateTopics }
}

/** Writes and replicates at the same time, until everything written is on the target. */
async function play(
  { output, steps, signal }: Stage,
  { startMs, target, plan, replication, workload }: Scene,
): Promise<{ readonly coldStartMs: number; readonly tally: WorkloadTally }> {
  const stop = new AbortController()
  const together = AbortSignal.any([signal, stop.signal])
  const first = steps.begin('Writing the first orders')
  const writing = workload.run(together)
  writing.catch((error: unknown) => stop.abort(error))
  try {
    await replication.untilFirstRecord(together)
    const coldStartMs = systemClock.monotonicMs() - startMs
    first.done(`The first record is in ${target.alias}`, `cold start ${seconds(coldStartMs)}`)
    await watch({ output, steps, target, plan, replication, workload }, writing)
    const tally = workload.tally()
    const committed = tally.written - tally.aborted

    const settling = steps.begin('Waiting until nothing is behind')
    const caughtUp = await replication.untilCaughtUp(committed, signal, ({ records, lagRecords }) =>
      settling.update(
        `Lag ${counted(lagRecords, 'record')}; ${grouped(records)} of ${grouped(committed)} in ${target.alias}`,
      ),
    )
    const { records } = replication.snapshot()
    if (caughtUp) settling.done('Nothing is behind', `lag 0, ${grouped(records)} in ${target.alias}`)
    else
      settling.done(
        'Replication stands still',
        `${grouped(records)} of ${grouped(committed)} in ${target.alias}`,
      )
    return { coldStartMs, tally }
  } finally {
    // A workload that went on would write to brokers that are about to end.
    stop.abort(new Error('the demo is over'))
    await writing.catch(() => {})
  }
}

/** Shows how far writing and copying are, until all is written. */
async function watch(
  {
    output,
    steps,
    target,
    plan,
    replication,
    workload,
  }: Pick<Scene, 'target' | 'plan' | 'replication' | 'workload'> & Pick<Stage, 'steps' | 'output'>,
  writing: Promise<void>,
): Promise<void> {
  const done = (part: number) => (output.interactive ? bar(part) : `${Math.floor(part * 100)} %`)
  const flowing = steps.begin('Orders are written and replicated')
  const over = new AbortController()
  const show = async (): Promise<void> => {
    while (!over.signal.aborted) {
      const { written } = workload.tally()
      const { records, lagRecords, lagMs } = replication.snapshot()
      flowing.update(
        `${done(written / plan.records)}  ${grouped(written)} written   ${grouped(records)} in ${target.alias}   ` +
          `lag ${counted(lagRecords, 'record')}, ${grouped(Math.round(lagMs))} ms`,
      )
      await systemClock.sleep(100, over.signal).catch(() => {})
    }
  }
  await Promise.all([writing.finally(() => over.abort(new Error('all is written'))), show()])
  const { records } = replication.snapshot()
  const tally = workload.tally()
  flowing.done(
    'Orders written, and replicated meanwhile',
    `${grouped(tally.written)} written, ${grouped(records)} in ${target.alias} by then`,
  )
}

function compare(
  { steps, signal }: Stage,
  { source, target, plan }: Scene,
  tally: WorkloadTally,
): Promise<VerifiedCopy> {
  const topics = plan.topics.map(({ name, partitions }) => {
    const counts = tally.topics.get(name)
    return { name, partitions, committed: (counts?.written ?? 0) - (counts?.aborted ?? 0) }
  })
  return verifyCopy({ source, target, topics, clock: systemClock, random: systemRandom, signal }, steps)
}

function resultOf(parts: {
  readonly scene: Scene
  readonly steps: Steps
  readonly tally: WorkloadTally
  readonly verified: VerifiedCopy
  readonly coldStartMs: number
  readonly durationMs: number
}): DemoResult {
  const { scene, tally, verified } = parts
  const { records, bytes, batches, reencoded } = scene.replication.snapshot()
  const region = ({ alias, bootstrap }: DemoCluster) => ({ alias, bootstrap })
  return {
    ...verified.verdict,
    source: region(scene.source),
    target: region(scene.target),
    coldStartMs: Math.round(parts.coldStartMs),
    durationMs: Math.round(parts.durationMs),
    steps: parts.steps.times,
    workload: {
      written: tally.written,
      aborted: tally.aborted,
      transactions: { ...tally.transactions },
      topics: [...tally.topics].map(([topic, counts]) => ({ topic, ...counts })),
    },
    lateTopics: [...scene.lateTopics].flatMap(([topic, { createdMs, copiedMs }]) =>
      copiedMs === undefined ? [] : [{ topic, copiedAfterMs: Math.round(copiedMs - createdMs) }],
    ),
    replication: { records, bytes, batches, reencoded },
    kafkajs: { source: recordsIn(verified.kafkajs.source), target: recordsIn(verified.kafkajs.target) },
    comparison: verified.report,
  }
}
