import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, rm, statfs, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ConnectionOptions } from '@platformatic/kafka'
import {
  type BrokerProcess,
  brokerJvmArguments,
  explainBrokerEnd,
  type JvmTuning,
  logFiles,
  startBrokerProcess,
} from './broker-process.ts'
import {
  type BrokerPorts,
  brokerSettings,
  type ClusterPlan,
  loggingSettings,
  metaProperties,
  propertiesText,
} from './broker-settings.ts'
import { findFreePorts, isPortFree } from './free-ports.ts'
import { defaultCacheFolder, type KafkaInstallation } from './kafka-files.ts'
import { explainFileError, LocalError } from './local-error.ts'
import { untilWorks, waitUntilUsable, withConnection } from './readiness.ts'
import { startWatchdog, type Watchdog } from './watchdog.ts'

/** What cluster to start. */
export interface LocalClusterOptions {
  /** The region's name; appears in folder names and errors. */
  readonly alias: string
  /** Default 1. With three or more, three of them are controllers. */
  readonly brokers?: number
  readonly installation: KafkaInstallation
  /** Where the cluster's own temporary folder is made. Default: the system's folder for temporary files. */
  readonly folder?: string
  /** Where broker logs are written and kept. Default: inside the cluster's folder, gone with it. */
  readonly logFolder?: string
  /** Settings for every broker's server.properties; they win over ours. */
  readonly brokerConfig?: Readonly<Record<string, string>>
  /** Heap of each broker, in MiB. Default 350. */
  readonly heapMb?: number
  /** Default `quick`. */
  readonly tuning?: JvmTuning
  /** Client ports, one per broker. Default: free ones are chosen, and others when one is taken meanwhile. */
  readonly ports?: readonly number[]
  /** Limit for the whole start, in milliseconds. Default 60 000. */
  readonly startTimeoutMs?: number
  /** The cluster goes on when this process ends, until somebody calls `endAbandonedCluster` with its folder. */
  readonly outlivesParent?: boolean
  readonly extraJvmArguments?: readonly string[]
}

/** A broker of a running cluster. */
export interface LocalBroker {
  readonly id: number
  /** Where clients connect, on 127.0.0.1. Stays the same across restarts. */
  readonly port: number
  /** Process id of its present or last run. */
  readonly pid: number
}

/**
 * A running cluster of real brokers on this machine. When the process that started it ends, in whichever way, its
 * brokers are killed and its folder is removed, unless it was started to outlive it.
 */
export interface LocalCluster {
  readonly alias: string
  /** `host:port` of every broker. */
  readonly bootstrap: readonly string[]
  readonly brokers: readonly LocalBroker[]
  readonly folder: string
  /** Resolves when the broker's process is gone. */
  killBroker(id: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
  /** Starts a broker that was killed, on its old port and data. Resolves when the cluster lists it again. */
  restartBroker(id: number): Promise<void>
  /** SIGSTOP: the broker keeps its connections and answers nothing. */
  pauseBroker(id: number): void
  resumeBroker(id: number): void
  /** Kills the brokers and removes the folder. Idempotent. */
  stop(): Promise<void>
}

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
    await cluster.prepare()
    await cluster.startAll(deadlineMs, signal)
    if (options.outlivesParent === true) await watchdog.release()
    return cluster
  } catch (error) {
    const explained = signal.aborted ? signal.reason : await cluster.explain(error)
    await cluster.stop()
    throw explainFileError(explained, folder)
  }
}

/** Ends a cluster that outlived the process that started it: kills its brokers, removes its folder. */
export async function endAbandonedCluster(folder: string): Promise<void> {
  await startWatchdog(folder).end()
}

async function choosePorts(options: LocalClusterOptions): Promise<ReadonlyMap<number, BrokerPorts>> {
  const brokers = options.brokers ?? 1
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
  const free = await findFreePorts(brokers * 4)
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

class BrokerSet implements LocalCluster {
  readonly alias: string
  readonly folder: string
  readonly #options: LocalClusterOptions
  readonly #plan: ClusterPlan
  readonly #watchdog: Watchdog
  readonly #logFolder: string
  readonly #processes = new Map<number, BrokerProcess>()
  #stopped: Promise<void> | undefined

  constructor(
    options: LocalClusterOptions,
    ports: ReadonlyMap<number, BrokerPorts>,
    folder: string,
    watchdog: Watchdog,
  ) {
    this.alias = options.alias
    this.folder = folder
    this.#options = options
    this.#watchdog = watchdog
    this.#logFolder = options.logFolder ?? folder
    this.#plan = {
      alias: options.alias,
      clusterId: randomBytes(16).toString('base64url'),
      ports,
      brokerConfig: options.brokerConfig ?? {},
      listenHost: '127.0.0.1',
    }
  }

  get bootstrap(): readonly string[] {
    return [...this.#plan.ports.values()].map(({ client }) => `127.0.0.1:${client}`)
  }

  get brokers(): readonly LocalBroker[] {
    return [...this.#plan.ports].map(([id, { client }]) => ({
      id,
      port: client,
      pid: this.#processes.get(id)?.pid ?? 0,
    }))
  }

  async prepare(): Promise<void> {
    await mkdir(this.#logFolder, { recursive: true })
    await writeFile(join(this.folder, 'log4j2.properties'), loggingSettings())
    for (const id of this.#plan.ports.keys()) {
      const data = join(this.folder, `broker-${id}`)
      await mkdir(data)
      await copyFile(this.#options.installation.bootstrapCheckpoint, join(data, 'bootstrap.checkpoint'))
      const directoryId = randomBytes(16).toString('base64url')
      await writeFile(join(data, 'meta.properties'), metaProperties(this.#plan.clusterId, id, directoryId))
      const settings = propertiesText(brokerSettings(this.#plan, id, data))
      await writeFile(this.#settingsFile(id), settings, { mode: 0o600 })
    }
  }

  async startAll(deadlineMs: number, signal: AbortSignal): Promise<void> {
    const ids = [...this.#plan.ports.keys()]
    await Promise.all(ids.map((id) => this.#start(id)))
    const clientPorts = [...this.#plan.ports.values()].map(({ client }) => client)
    await waitUntilUsable(clientPorts, this.#connectionOptions(), {
      deadlineMs,
      signal,
      check: () => this.#checkRunning(ids),
    })
  }

  async killBroker(id: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const broker = this.#process(id)
    broker.signal(signal)
    await broker.exited()
  }

  async restartBroker(id: number): Promise<void> {
    if (this.#process(id).isRunning()) throw new Error(`broker ${id} of ${this.alias} is still running`)
    await this.#start(id)
    const port = this.#plan.ports.get(id)?.client ?? 0
    const limits = {
      deadlineMs: performance.now() + (this.#options.startTimeoutMs ?? 60_000),
      signal: new AbortController().signal,
      check: () => this.#checkRunning([id]),
    }
    const { metadataV12 } = await import('@platformatic/kafka')
    await untilWorks(`Restarting broker ${id} of ${this.alias}`, limits, () =>
      withConnection(port, this.#connectionOptions(), async (connection) => {
        const metadata = await metadataV12.api.async(connection, [], false, false)
        if (!metadata.brokers.some(({ nodeId }) => nodeId === id)) throw new Error('not registered yet')
      }),
    )
  }

  pauseBroker(id: number): void {
    this.#process(id).signal('SIGSTOP')
  }

  resumeBroker(id: number): void {
    this.#process(id).signal('SIGCONT')
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** Adds to a failed start what the brokers logged, and keeps that log. */
  async explain(error: unknown): Promise<unknown> {
    if (error instanceof LocalError) return error
    const kept = this.#options.logFolder ?? (await this.#keepLogs())
    return new LocalError(
      'not-ready',
      `The brokers of ${this.alias} run, but clients cannot use them: ${causes(error)}`,
      `Is the machine overloaded? Their logs: ${kept}`,
      { cause: error, retriable: true },
    )
  }

  async #stop(): Promise<void> {
    for (const broker of this.#processes.values()) broker.signal('SIGKILL')
    await Promise.all([...this.#processes.values()].map((broker) => broker.exited()))
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 })
    await this.#watchdog.end()
  }

  async #start(id: number): Promise<void> {
    const { installation } = this.#options
    const { log, output } = logFiles(this.#logFolder, id)
    const jvm = brokerJvmArguments(
      this.#options.tuning ?? 'quick',
      this.#options.heapMb ?? 350,
      installation.classArchive,
    )
    const command: [string, ...string[]] = [
      installation.javaPath,
      ...jvm,
      ...(this.#options.extraJvmArguments ?? []),
      `-Dcauseway.log=${log}`,
      `-Dlog4j2.configurationFile=${join(this.folder, 'log4j2.properties')}`,
      '-cp',
      installation.classpath,
      'kafka.Kafka',
      this.#settingsFile(id),
    ]
    this.#processes.set(
      id,
      await startBrokerProcess({ id, folder: this.folder, command, outputFile: output }),
    )
  }

  async #checkRunning(ids: readonly number[]): Promise<void> {
    // Exit events arrive through the event loop; give them a turn.
    await delay(0)
    for (const id of ids) {
      if (this.#process(id).isRunning()) continue
      const { log, output } = logFiles(this.#logFolder, id)
      const kept = this.#options.logFolder ?? (await this.#keepLogs())
      const files = [log, output].map((file) => file.replace(this.#logFolder, kept))
      throw await explainBrokerEnd(id, this.alias, files)
    }
  }

  /** Copies the brokers' logs out of the folder that is about to go. */
  async #keepLogs(): Promise<string> {
    const kept = join(defaultCacheFolder(), 'logs', `${this.alias}-${this.#plan.clusterId}`)
    await mkdir(kept, { recursive: true })
    for (const id of this.#plan.ports.keys()) {
      const from = logFiles(this.folder, id)
      const to = logFiles(kept, id)
      await copyFile(from.log, to.log).catch(() => {})
      await copyFile(from.output, to.output).catch(() => {})
    }
    return kept
  }

  #process(id: number): BrokerProcess {
    const broker = this.#processes.get(id)
    if (broker === undefined) throw new Error(`${this.alias} has no broker ${id}`)
    return broker
  }

  #settingsFile(id: number): string {
    return join(this.folder, `broker-${id}.properties`)
  }

  #connectionOptions(): ConnectionOptions {
    return {}
  }
}

function causes(error: unknown): string {
  const texts: string[] = []
  for (let at: unknown = error; at instanceof Error; at = at.cause) texts.push(at.message)
  return texts.join(': ')
}
