/**
 * `npm run bench:kills`: 50 kills of the replicator and 20 broker restarts under load, then every record is compared.
 *
 *   npm run bench:kills -- [--kills N] [--brokers N] [--seed N] [--json FILE]
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { installKafka } from '../../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { describeMachine } from '../bench/machine.ts'
import { runStorm } from './storm.ts'

function say(line: string): void {
  process.stderr.write(`${process.uptime().toFixed(1).padStart(7)} s  ${line}\n`)
}

async function main(): Promise<boolean> {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '50' },
      brokers: { type: 'string', default: '20' },
      seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
      json: { type: 'string' },
    },
  })
  const { signal } = new AbortController()
  const installation = await installKafka({ onProgress: say }, signal)
  const folder = await mkdtemp(join(tmpdir(), 'causeway-kills-'))
  const clusters: LocalCluster[] = []
  try {
    say('starting two clusters of three brokers')
    const brokerConfig = { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '2000' }
    const start = async (alias: string) => {
      const cluster = await startLocalCluster(
        { alias, brokers: 3, heapMb: 320, installation, folder, brokerConfig, startTimeoutMs: 120_000 },
        signal,
      )
      clusters.push(cluster)
      return cluster
    }
    const [source, target] = await Promise.all([start('storm-source'), start('storm-target')])
    const report = await runStorm({
      source,
      target,
      folder,
      seed: Number(values.seed),
      kills: Number(values.kills),
      brokerRestarts: Number(values.brokers),
      killPauseMsMax: 4000,
      brokerPauseMsMax: 12_000,
      paceMs: 20,
      say,
    })
    const machine = await describeMachine({
      javaPath: installation.javaPath,
      kafkaVersion: installation.version,
      date: new Date(),
    })
    const text = `${JSON.stringify({ machine, ...report }, undefined, 2)}\n`
    process.stdout.write(text)
    if (values.json !== undefined) await writeFile(values.json, text)
    const { lost, duplicated, reordered, foreign, verified, crashes, drained } = report
    return lost + duplicated + reordered + foreign + crashes.length === 0 && verified && drained
  } finally {
    await Promise.all(clusters.map((cluster) => cluster.stop()))
    await rm(folder, { recursive: true, force: true, maxRetries: 3 })
  }
}

process.exit((await main()) ? 0 : 1)
