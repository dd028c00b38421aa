import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

export const causewayCommand = join(import.meta.dirname, '../../replicator/cli/causeway.js')

const deadlineMs = 120_000

/** Looks until there is something to see. @throws AssertionError, with what `context` tells, after two minutes */
export async function until<Value>(
  what: string,
  look: () => Promise<Value | undefined> | Value | undefined,
  context: () => string = () => '',
): Promise<Value> {
  const end = performance.now() + deadlineMs
  for (;;) {
    const seen = await look()
    if (seen !== undefined) return seen
    assert.ok(performance.now() < end, `${what} did not happen\n${context()}`)
    await delay(50)
  }
}

/** A line of the log. */
export interface LogEntry {
  readonly level: string
  readonly msg: string
  readonly event?: string
  readonly flow?: string
  readonly [fact: string]: unknown
}

export interface ReplicateOptions {
  readonly args?: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  /** Default: this tree's. */
  readonly command?: string
}

/** `causeway replicate` in a process of its own, with a configuration file of its own. */
export class ReplicateProcess {
  readonly child: ChildProcess
  readonly configFile: string
  #stdout = ''
  #stderr = ''
  readonly #ended: Promise<unknown>

  private constructor(
    configFile: string,
    { args = [], env = {}, command = causewayCommand }: ReplicateOptions,
  ) {
    this.configFile = configFile
    this.child = spawn(process.execPath, [command, 'replicate', '-c', configFile, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stdout?.on('data', (data: Buffer) => {
      this.#stdout += data.toString()
    })
    this.child.stderr?.on('data', (data: Buffer) => {
      this.#stderr += data.toString()
    })
    this.#ended = once(this.child, 'close')
  }

  /** Writes the configuration into `folder` and starts. */
  static async start(
    folder: string,
    config: object,
    options: ReplicateOptions = {},
  ): Promise<ReplicateProcess> {
    // JSON is YAML.
    const file = join(folder, 'causeway.yaml')
    await writeFile(file, JSON.stringify({ http: { port: 0, host: '127.0.0.1' }, ...config }, undefined, 2))
    return new ReplicateProcess(file, options)
  }

  /** Starts on a configuration file that is there already. */
  static startOn(configFile: string, options: ReplicateOptions = {}): ReplicateProcess {
    return new ReplicateProcess(configFile, options)
  }

  /** Everything it has printed, on either stream. */
  get text(): string {
    return this.#stdout + this.#stderr
  }

  get stderr(): string {
    return this.#stderr
  }

  /** The log so far. @throws SyntaxError when a line of stdout is no JSON */
  get log(): readonly LogEntry[] {
    const lines = this.#stdout.split('\n').slice(0, -1)
    return lines.map((line) => JSON.parse(line) as LogEntry)
  }

  logged(event: string, facts: Readonly<Record<string, unknown>> = {}): Promise<LogEntry> {
    const fits = (entry: LogEntry) =>
      entry.event === event && Object.entries(facts).every(([name, value]) => entry[name] === value)
    return this.#until(`the log line ${event} ${JSON.stringify(facts)}`, () => this.log.find(fits))
  }

  /** Status and body of a health path. */
  async health(path: '/healthz' | '/readyz'): Promise<{ status: number; body: { flows: FlowState[] } }> {
    const { port } = await this.logged('started')
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return { status: response.status, body: (await response.json()) as { flows: FlowState[] } }
  }

  async ready(): Promise<void> {
    await this.#until('/readyz 200', async () => (await this.health('/readyz')).status === 200 || undefined)
  }

  signal(name: 'SIGTERM' | 'SIGINT'): void {
    this.child.kill(name)
  }

  async exitCode(): Promise<number | null> {
    await this.#until(
      'the end of the process',
      () => this.child.exitCode ?? this.child.signalCode ?? undefined,
    )
    await this.#ended
    return this.child.exitCode
  }

  /** SIGTERM, and everything in order at the end. */
  async stop(): Promise<void> {
    this.signal('SIGTERM')
    assert.equal(await this.exitCode(), 0, this.text)
  }

  /** For the end of a test that may have failed. */
  async kill(): Promise<void> {
    if (this.child.exitCode === null) this.child.kill('SIGKILL')
    await this.#ended
  }

  #until<Value>(what: string, look: () => Promise<Value | undefined> | Value | undefined): Promise<Value> {
    return until(
      what,
      async () => {
        const seen = await look()
        const isOver = this.child.exitCode !== null || this.child.signalCode !== null
        if (seen === undefined && isOver) {
          await this.#ended
          const last = await look()
          assert.ok(last !== undefined, `it ended before ${what}:\n${this.text}`)
          return last
        }
        return seen
      },
      () => this.text,
    )
  }
}

/** What health tells of a flow, as far as tests read it. */
export interface FlowState {
  readonly state: string
  readonly trouble?: string
  readonly records: number
  readonly lagRecords: number
  readonly bufferedBytes: number
  readonly partitions: { readonly total: number; readonly running: number; readonly paused: number }
}
