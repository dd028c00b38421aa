/** `npm run bench -- --offsets`: every system on the same topic of the same clusters, one after the other. */
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { KafkaInstallation } from '../../../replicator/local/kafka-files.ts'
import type { BenchClusters } from '../clusters.ts'
import { describeMachine } from '../machine.ts'
import { groupSyncSeconds, offsetFlushMs } from '../systems/mirrormaker2.ts'
import type { System } from '../systems/system.ts'
import type { FailoverReport } from './failover-report.ts'
import { type FailoverPlan, type FailoverRun, measureFailover } from './measure-failover.ts'
import { SequenceWriter } from './sequence-writer.ts'

const topic = 'bench-offsets'

export interface FailoverSession {
  readonly systems: readonly System[]
  readonly plan: FailoverPlan
  readonly clusters: Pick<BenchClusters, 'source' | 'target'>
  readonly installation: KafkaInstallation
  readonly folder: string
  readonly say: (line: string) => void
}

/** Rejects only if aborted, or if the clusters fail. */
export async function runFailovers(session: FailoverSession, signal: AbortSignal): Promise<FailoverReport> {
  const { systems, plan, clusters, installation, folder, say } = session
  const { source, target } = clusters
  const runs: FailoverRun[] = []
  const failures: { system: System['name']; reason: string }[] = []
  say(`filling ${plan.partitions} partitions with ${plan.records} records each`)
  const writer = await fillTopic(clusters, topic, plan)
  try {
    for (const [index, system] of systems.entries()) {
      const id = `${index + 1}`
      const jobFolder = join(folder, `failover-${id}`)
      await mkdir(jobFolder)
      const job = {
        id,
        folder: jobFolder,
        topic,
        sourceBootstrap: source.bootstrap,
        targetBootstrap: target.bootstrap,
      }
      try {
        runs.push(await measureFailover({ system, job, clusters, writer, plan, say }, signal))
      } catch (error) {
        signal.throwIfAborted()
        failures.push({ system: system.name, reason: (error as Error).message })
        say(`${system.name} failed: ${(error as Error).message}`)
      }
      await rm(jobFolder, { recursive: true })
      await target.deleteTopics([], signal)
    }
  } finally {
    await writer.close()
  }
  const machine = await describeMachine({
    javaPath: installation.javaPath,
    kafkaVersion: installation.version,
    date: new Date(),
  })
  const mirrorMaker2 = { offsetLagMax: 100, intervalSeconds: groupSyncSeconds, offsetFlushMs }
  return { machine, plan, mirrorMaker2, runs, failures }
}

/** Creates the topic and writes what is there before anything is copied; its first records are deleted again. */
export async function fillTopic(
  { source }: Pick<BenchClusters, 'source'>,
  name: string,
  plan: Pick<FailoverPlan, 'partitions' | 'recordBytes' | 'records' | 'deleted'>,
): Promise<SequenceWriter> {
  const { partitions, recordBytes, records, deleted } = plan
  await source.createTopic(name, partitions)
  const writer = await SequenceWriter.connect({ source, topic: name, partitions, recordBytes })
  try {
    await writer.fill(records)
    await source.deleteRecords(
      name,
      writer.acknowledged.map((_, partition) => writer.positionBehind(partition, records - deleted)),
    )
    return writer
  } catch (error) {
    await writer.close()
    throw error
  }
}
