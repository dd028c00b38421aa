import { type Command, InvalidArgumentError } from 'commander'
import type { KeptCluster, KeptClusterStatus } from '../../local/kept-clusters.ts'
import { exitCode } from '../exit-codes.ts'
import { alignColumns, openOutput } from '../output.ts'

interface UpOptions {
  readonly regions: readonly string[]
  readonly brokers: number
  readonly secure?: true
  readonly json?: true
}

/** `causeway local up | status | down`. */
export function registerLocal(program: Command): void {
  const local = program
    .command('local')
    .description('real Kafka clusters on this machine, one per region')
    .addHelpText(
      'after',
      `
Needs Java 17 or newer and Maven, or Docker. Brokers that you already have are used instead of new ones when
CAUSEWAY_LOCAL_BOOTSTRAP_<REGION> names them, such as CAUSEWAY_LOCAL_BOOTSTRAP_US_EAST=host:9092.

Examples:
  causeway local up --regions us-east,eu-west
  causeway local status
  causeway local down`,
    )
  registerUp(local)
  registerStatus(local)
  registerDown(local)
}

function registerUp(local: Command): void {
  local
    .command('up')
    .description('start clusters and leave them running until `causeway local down`')
    .requiredOption('--regions <names>', 'names of the regions, separated by commas', parseRegions)
    .option('--brokers <count>', 'brokers of each cluster, 1 to 9', parseBrokers, 1)
    .option('--secure', 'SASL_SSL with SCRAM-SHA-512 and an authorizer; a file holds the credentials')
    .option('--json', "print each region's bootstrap servers and credentials file as JSON")
    .addHelpText(
      'after',
      `
Examples:
  causeway local up --regions us-east,eu-west
  causeway local up --regions us-east,eu-west --brokers 3 --secure --json`,
    )
    .action(up)
}

function registerStatus(local: Command): void {
  local
    .command('status')
    .description('show the clusters and which of their brokers answer')
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      `
Exit code ${exitCode.failed} when a broker does not answer.

Examples:
  causeway local status
  causeway local status --json`,
    )
    .action(status)
}

function registerDown(local: Command): void {
  local
    .command('down')
    .description('end clusters, and remove their data, logs and credentials')
    .option('--regions <names>', 'only these regions, separated by commas', parseRegions)
    .addHelpText(
      'after',
      `
Examples:
  causeway local down
  causeway local down --regions eu-west`,
    )
    .action(down)
}

async function up(options: UpOptions): Promise<void> {
  const output = openOutput()
  const { keepClusters } = await import('../../local/kept-clusters.ts')
  const { findBrokerSource } = await import('../../local/docker-installation.ts')
  const { withLocalErrors } = await import('../local-errors.ts')
  await withLocalErrors(async (signal) => {
    output.status('Starting brokers ...')
    const source = () => findBrokerSource({ onProgress: (text) => output.note(text) }, signal)
    const kept = await keepClusters(
      options.regions,
      { brokers: options.brokers, secure: options.secure ?? false, source },
      signal,
    )
    output.status('')
    if (options.json) output.json({ regions: kept.map(describe) })
    else for (const line of alignColumns(kept.map(columns))) output.line(line)
  })
}

async function status(options: { readonly json?: true }): Promise<void> {
  const output = openOutput()
  const { keptClusterStatus } = await import('../../local/kept-clusters.ts')
  const { withLocalErrors } = await import('../local-errors.ts')
  await withLocalErrors(async () => {
    const clusters = await keptClusterStatus()
    if (clusters.some(({ state }) => state !== 'up')) process.exitCode = exitCode.failed
    if (options.json) {
      output.json({ regions: clusters.map((cluster) => ({ ...describe(cluster), state: cluster.state })) })
    } else if (clusters.length === 0) {
      output.line('No clusters. Start some with `causeway local up --regions us-east,eu-west`.')
    } else {
      for (const line of alignColumns(clusters.map(statusColumns))) output.line(line)
    }
  })
}

async function down(options: { readonly regions?: readonly string[] }): Promise<void> {
  const output = openOutput()
  const { endKeptClusters } = await import('../../local/kept-clusters.ts')
  const { withLocalErrors } = await import('../local-errors.ts')
  await withLocalErrors(async () => {
    const ended = await endKeptClusters(options.regions)
    output.line(ended.length === 0 ? 'No clusters to end.' : `Ended: ${ended.join(', ')}`)
  })
}

function describe(cluster: KeptCluster) {
  const { alias, bootstrap, brokers, credentialsFile, folder } = cluster
  return {
    region: alias,
    bootstrap,
    brokers,
    credentialsFile: credentialsFile ?? null,
    folder: folder ?? null,
  }
}

function columns(cluster: KeptCluster): readonly string[] {
  const credentials = cluster.credentialsFile === undefined ? [] : [`credentials ${cluster.credentialsFile}`]
  return [cluster.alias, cluster.bootstrap.join(','), ...credentials]
}

function statusColumns(cluster: KeptClusterStatus): readonly string[] {
  const [alias = '', ...rest] = columns(cluster)
  return [alias, cluster.state, `${cluster.brokersUp}/${cluster.bootstrap.length} brokers`, ...rest]
}

function parseRegions(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim())
  const wrong = names.find((name) => !/^[A-Za-z0-9][\w.-]{0,99}$/.test(name))
  if (wrong !== undefined) throw new InvalidArgumentError(`"${wrong}" cannot name a region.`)
  if (new Set(names).size < names.length) throw new InvalidArgumentError('A region is named twice.')
  return names
}

function parseBrokers(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1 || count > 9) throw new InvalidArgumentError('It must be 1 to 9.')
  return count
}
