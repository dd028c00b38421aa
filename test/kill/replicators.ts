import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ReplicateProcess } from '../integration/replicate-process.ts'

/** The `causeway replicate` processes of one configuration, alive and dead. */
export class Replicators {
  readonly #folder: string
  readonly #config: object
  readonly #alive = new Set<ReplicateProcess>()
  /** Ends of processes that nobody killed: faults of their own. */
  readonly crashes: string[] = []
  readonly #tails: string[] = []
  readonly #sweep = () => {
    for (const { child } of this.#alive) child.kill('SIGKILL')
  }

  constructor(folder: string, config: object) {
    this.#folder = folder
    this.#config = config
    process.once('exit', this.#sweep)
  }

  /** With the instance id of one that has just died it takes that one's place at once. */
  async start(instanceId: string | undefined): Promise<ReplicateProcess> {
    const folder = await mkdtemp(join(this.#folder, 'replicator-'))
    const replicas = { sessionTimeout: '6s', ...(instanceId === undefined ? {} : { instanceId }) }
    const started = await ReplicateProcess.start(folder, { ...this.#config, replicas })
    this.#alive.add(started)
    started.child.once('exit', (code, signal) => {
      if (this.#alive.delete(started)) this.crashes.push(`${code ?? signal}: ${started.text.slice(-4000)}`)
    })
    return started
  }

  /** kill -9. */
  async kill(replicator: ReplicateProcess): Promise<void> {
    this.#alive.delete(replicator)
    this.#tails.push(replicator.text.slice(-3000))
    if (this.#tails.length > 6) this.#tails.shift()
    await replicator.kill()
  }

  /** SIGTERM; true when it ended with code 0. */
  async drain(replicator: ReplicateProcess): Promise<boolean> {
    this.#alive.delete(replicator)
    replicator.signal('SIGTERM')
    return (await replicator.exitCode()) === 0
  }

  /** Waits until this process has forwarded records of its own, or the time is over; true when it has. */
  async forwards(replicator: ReplicateProcess, timeoutMs: number): Promise<boolean> {
    const end = performance.now() + timeoutMs
    while (performance.now() < end) {
      if ((await recordsOf(replicator)) > 0) return true
      await delay(50)
    }
    return false
  }

  /** The last lines of those that run and of those that were killed last. */
  tails(): string {
    return [...this.#tails, ...[...this.#alive].map(({ text }) => text.slice(-5000))].join('\n---\n')
  }

  async close(): Promise<void> {
    for (const replicator of [...this.#alive]) {
      replicator.child.kill('SIGCONT')
      await this.kill(replicator)
    }
    process.off('exit', this.#sweep)
  }
}

/** Records that this process has forwarded; 0 while it does not answer. */
async function recordsOf(replicator: ReplicateProcess): Promise<number> {
  const { child, log } = replicator
  const port = log.find(({ event }) => event === 'started')?.port
  if (port === undefined || child.exitCode !== null || child.signalCode !== null) return 0
  try {
    const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(2000) })
    const { flows } = (await response.json()) as { flows: { records: number }[] }
    return flows.reduce((sum, { records }) => sum + records, 0)
  } catch {
    return 0
  }
}
