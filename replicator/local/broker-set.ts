import { randomBytes } from 'node:crypto'
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ConnectionOptions } from '@platformatic/kafka'
import { type BrokerHost, brokerHost, runningMark } from './broker-host.ts'
import {
  type BrokerProcess,
  brokerJvmArguments,
  explainBrokerEnd,
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
import type { LocalBroker, LocalCluster, LocalClusterOptions, SecureAccess } from './cluster-options.ts'
import { defaultCacheFolder } from './kafka-files.ts'
import { LocalError } from './local-error.ts'
import { waitUntilListed, waitUntilUsable } from './readiness.ts'
import { brokerConnection, createUsers, prepareSecurity, writeAccess } from './secure-access.ts'
import { type SecureMaterial, secureSettings } from './secure-settings.ts'
import type { Watchdog } from './watchdog.ts'

/** The brokers of one cluster from first file to last; `startLocalCluster` makes and starts it. */
export class BrokerSet implements LocalCluster {
  readonly alias: string
  readonly folder: string
  secure?: SecureAccess
  readonly #options: LocalClusterOptions
  readonly #ports: ReadonlyMap<number, BrokerPorts>
  readonly #clusterId = randomBytes(16).toString('base64url')
  readonly #watchdog: Watchdog
  readonly #host: BrokerHost
  readonly #logFolder: string
  readonly #processes = new Map<number, BrokerProcess>()
  #material: SecureMaterial | undefined
  #connection: ConnectionOptions = {}
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
    this.#ports = ports
    this.#watchdog = watchdog
    this.#logFolder = options.logFolder ?? folder
    const reached = [...ports.values()].flatMap(({ client, internal, mutualTls }) => [
      client,
      internal,
      mutualTls,
    ])
    this.#host = brokerHost(options.installation, { folder, logFolder: this.#logFolder, ports: reached })
  }

  get bootstrap(): readonly string[] {
    return [...this.#ports.values()].map(({ client }) => `127.0.0.1:${client}`)
  }

  get brokers(): readonly LocalBroker[] {
    return [...this.#ports].map(([id, { client }]) => ({
      id,
      port: client,
      pid: this.#processes.get(id)?.pid ?? 0,
    }))
  }

  /** Writes every file that the brokers start from. */
  async prepare(signal: AbortSignal): Promise<void> {
    await mkdir(this.#logFolder, { recursive: true })
    await mkdir(join(this.folder, 'tmp'))
    await writeFile(join(this.folder, runningMark), '')
    await writeFile(join(this.folder, 'log4j2.properties'), loggingSettings())
    const plan = await this.#plan()
    for (const id of this.#ports.keys()) {
      const data = join(this.folder, `broker-${id}`)
      await mkdir(data)
      await copyFile(this.#options.installation.bootstrapCheckpoint, join(data, 'bootstrap.checkpoint'))
      const directoryId = randomBytes(16).toString('base64url')
      await writeFile(join(data, 'meta.properties'), metaProperties(this.#clusterId, id, directoryId))
      const settings = propertiesText(brokerSettings(plan, id, data))
      await writeFile(this.#settingsFile(id), settings, { mode: 0o600 })
    }
    await this.#host.open(signal)
  }

  /** Starts every broker and resolves when clients can use them. */
  async startAll(deadlineMs: number, signal: AbortSignal): Promise<void> {
    const ids = [...this.#ports.keys()]
    await Promise.all(ids.map((id) => this.#start(id)))
    const limits = { deadlineMs, signal, check: () => this.#checkRunning(ids) }
    await waitUntilUsable(this.#probePorts(), this.#connection, limits)
    if (this.#material === undefined) return
    const material = this.#material
    const [internalPort = 0] = this.#probePorts()
    await createUsers(internalPort, material)
    const mutualTls = [...this.#ports.values()].map((ports) => `127.0.0.1:${ports.mutualTls}`)
    this.secure = await writeAccess(this.folder, material, this.bootstrap, mutualTls)
    if (this.#options.expiredCertificate === true) return
    const { tls } = this.#connection
    const login = {
      mechanism: 'SCRAM-SHA-512',
      username: 'causeway',
      password: material.passwords.causeway,
    } as const
    // Each broker learns of the users by itself.
    for (const [id, { client }] of this.#ports) {
      await waitUntilListed(id, client, { ...(tls === undefined ? {} : { tls }), sasl: login }, limits)
    }
  }

  async killBroker(id: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const broker = this.#process(id)
    broker.signal(signal)
    await broker.exited()
  }

  async restartBroker(id: number): Promise<void> {
    if (this.#process(id).isRunning()) throw new Error(`broker ${id} of ${this.alias} is still running`)
    const index = [...this.#ports.keys()].indexOf(id)
    await this.#start(id)
    await waitUntilListed(id, this.#probePorts()[index] ?? 0, this.#connection, {
      deadlineMs: performance.now() + (this.#options.startTimeoutMs ?? 60_000),
      signal: new AbortController().signal,
      check: () => this.#checkRunning([id]),
    })
  }

  pauseBroker(id: number): void {
    this.#process(id).signal('SIGSTOP')
  }

  resumeBroker(id: number): void {
    this.#process(id).signal('SIGCONT')
  }

  detach(): Promise<void> {
    return this.#watchdog.release()
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop()
    return this.#stopped
  }

  /** Says why a start failed, with what the brokers logged kept where the user can read it. */
  async explain(error: unknown): Promise<unknown> {
    const code = (error as NodeJS.ErrnoException | undefined)?.code
    if (error instanceof LocalError || code === 'ENOSPC') return error
    return new LocalError(
      'not-ready',
      `The brokers of ${this.alias} run, but clients cannot use them: ${causes(error)}`,
      `Is the machine overloaded? Their logs: ${await this.#keepLogs()}`,
      { cause: error, retriable: true },
    )
  }

  async #plan(): Promise<ClusterPlan> {
    const plan: ClusterPlan = {
      alias: this.alias,
      clusterId: this.#clusterId,
      ports: this.#ports,
      brokerConfig: this.#options.brokerConfig ?? {},
      listenHost: this.#host.listenHost,
    }
    if (this.#options.secure !== true) return plan
    const material = await prepareSecurity(this.folder, this.#options.expiredCertificate ?? false)
    this.#material = material
    this.#connection = await brokerConnection(material)
    return {
      ...plan,
      secureSettings: (ports, controller, listenHost) =>
        secureSettings(material, ports, controller, listenHost),
    }
  }

  async #stop(): Promise<void> {
    for (const broker of this.#processes.values()) broker.signal('SIGKILL')
    await Promise.all([...this.#processes.values()].map((broker) => broker.exited()))
    await this.#host.close()
    await rm(this.folder, { recursive: true, force: true, maxRetries: 3 })
    await this.#watchdog.end()
  }

  async #start(id: number): Promise<void> {
    const { log, output } = logFiles(this.#logFolder, id)
    const { tuning = 'quick', heapMb = 350, extraJvmArguments = [] } = this.#options
    const command = [
      this.#host.javaPath,
      ...brokerJvmArguments(tuning, heapMb, this.#host.classArchive),
      ...extraJvmArguments,
      `-Dcauseway.log=${log}`,
      `-Dlog4j2.configurationFile=${join(this.folder, 'log4j2.properties')}`,
      // Brokers unpack the native parts of their codecs there and do not clean up when killed.
      `-Djava.io.tmpdir=${join(this.folder, 'tmp')}`,
      '-cp',
      this.#host.classpath,
      'kafka.Kafka',
      this.#settingsFile(id),
    ]
    const start = { id, folder: this.folder, host: this.#host, command, outputFile: output }
    this.#processes.set(id, await startBrokerProcess(start))
  }

  async #checkRunning(ids: readonly number[]): Promise<void> {
    // Exit events arrive through the event loop; give them a turn.
    await delay(0)
    for (const id of ids) {
      if (this.#process(id).isRunning()) continue
      const { log, output } = logFiles(await this.#keepLogs(), id)
      throw await explainBrokerEnd(id, this.alias, [log, output])
    }
  }

  /** Where the logs can be read after the folder is gone; copies them out of it if need be. */
  async #keepLogs(): Promise<string> {
    if (this.#options.logFolder !== undefined) return this.#options.logFolder
    const kept = join(defaultCacheFolder(), 'logs', `${this.alias}-${this.#clusterId}`)
    await mkdir(kept, { recursive: true })
    for (const id of this.#ports.keys()) {
      const from = logFiles(this.folder, id)
      const to = logFiles(kept, id)
      await copyFile(from.log, to.log).catch(() => {})
      await copyFile(from.output, to.output).catch(() => {})
    }
    return kept
  }

  /** The listener of each broker that we ask whether it is ready. */
  #probePorts(): readonly number[] {
    const secure = this.#material !== undefined
    return [...this.#ports.values()].map(({ client, internal }) => (secure ? internal : client))
  }

  #process(id: number): BrokerProcess {
    const broker = this.#processes.get(id)
    if (broker === undefined) throw new Error(`${this.alias} has no broker ${id}`)
    return broker
  }

  #settingsFile(id: number): string {
    return join(this.folder, `broker-${id}.properties`)
  }
}

function causes(error: unknown): string {
  const texts: string[] = []
  for (let at: unknown = error; at instanceof Error; at = at.cause) texts.push(at.message)
  return texts.join(': ')
}
