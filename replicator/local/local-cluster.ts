import { mkdir, mkdtemp, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BrokerSet } from './broker-set.ts'
import type { BrokerPorts } from './broker-settings.ts'
import type { LocalCluster, LocalClusterOptions } from './cluster-options.ts'
import { findFreePorts, isPortFree } from './free-ports.ts'
import { explainFileError, LocalError } from './local-error.ts'
import { startWatchdog } from './watchdog.ts'

export type { LocalBroker, LocalCluster, LocalClusterOptions, SecureAccess } from './cluster-options.ts'

/** Bytes that must be free on the disk of the cluster's folder before we start. */
const freeBytesMin = 256 * 1024 * 1024

/**
 * Starts a cluster and resolves when clients can really use it: a record was acknowledged, the transaction and group
 * coordinators answer.
 * @throws LocalError `port-taken`, `disk-full`, `broker-failed` or `not-ready`; nothing is left running then.
 */
export async function startLocalCluster(
  options: LocalClusterOptions,
  signal: AbortSignal,
): Promise<LocalCluster> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await startOnce(options, signal)
    } catch (error) {
      const again =
        error instanceof LocalError && error.problem === 'port-taken' && options.ports === undefined
      if (!again || attempt === 5) throw error
    }
  }
}

async function startOnce(options: LocalClusterOptions, signal: AbortSignal): Promise<LocalCluster> {
  signal.throwIfAborted()
  const ports = await choosePorts(options)
  const parent = options.folder ?? tmpdir()
  const folder = await makeFolder(parent, options.alias)
  const watchdog = startWatchdog(folder)
  const cluster = new BrokerSet(options, ports, folder, watchdog)
  const deadlineMs = performance.now() + (options.startTimeoutMs ?? 60_000)
  try {
    await cluster.prepare(signal)
    await cluster.startAll(deadlineMs, signal)
    return cluster
  } catch (error) {
    const explained = signal.aborted ? signal.reason : await cluster.explain(error)
    await cluster.stop()
    throw explainFileError(explained, folder)
  }
}

/** Ends a cluster that was detached: kills its brokers, removes its folder. Harmless when it is gone already. */
export async function endAbandonedCluster(folder: string): Promise<void> {
  await startWatchdog(folder).end()
}

async function choosePorts(options: LocalClusterOptions): Promise<ReadonlyMap<number, BrokerPorts>> {
  const brokers = options.brokers ?? 1
  if (!/^[A-Za-z0-9][\w.-]{0,99}$/.test(options.alias)) {
    throw new LocalError(
      'bad-request',
      `"${options.alias}" cannot name a local cluster.`,
      'Use letters, digits, dots, dashes and underscores.',
    )
  }
  if (!Number.isInteger(brokers) || brokers < 1 || brokers > 9) {
    throw new LocalError('bad-request', `A local cluster cannot have ${brokers} brokers.`, 'Ask for 1 to 9.')
  }
  for (const port of options.ports ?? []) {
    if (await isPortFree(port)) continue
    throw new LocalError(
      'port-taken',
      `Port ${port} of 127.0.0.1, asked for as a broker of ${options.alias}, is taken.`,
      `Stop what listens there (\`lsof -i :${port}\` names it), or choose another port.`,
    )
  }
  const free = await findFreePorts(brokers * 4, options.ports)
  const ports = new Map<number, BrokerPorts>()
  for (let index = 0; index < brokers; index += 1) {
    const [client = 0, controller = 0, internal = 0, mutualTls = 0] = free.slice(index * 4, index * 4 + 4)
    ports.set(index + 1, { client: options.ports?.[index] ?? client, controller, internal, mutualTls })
  }
  return ports
}

async function makeFolder(parent: string, alias: string): Promise<string> {
  try {
    await mkdir(parent, { recursive: true })
    const disk = await statfs(parent)
    if (disk.bavail * disk.bsize < freeBytesMin)
      throw Object.assign(new Error('disk full'), { code: 'ENOSPC' })
    return await mkdtemp(join(parent, `causeway-${alias}-`))
  } catch (error) {
    throw explainFileError(error, parent)
  }
}
