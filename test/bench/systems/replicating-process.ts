/** A replicator as a child process: its log, its resources, its end. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startScript } from '../../../replicator/local/watchdog.ts'
import { ProcessMeter, type TreeUsage } from '../process-meter.ts'
import type { Command } from './system.ts'

/** How long a replicator may take to stop before it is killed. */
const stopTimeoutMs = 15_000

/** A started replicator. Its command must name a file in its folder, by which the watchdog knows it. */
export class ReplicatingProcess {
  readonly #child: ChildProcess
  readonly #log: string
  readonly #meter: ProcessMeter
  readonly #exited: Promise<unknown>
  readonly #kill = () => this.#child.kill('SIGKILL')
  readonly startedAtMs = performance.now()

  private constructor(child: ChildProcess, pid: number, log: string) {
    this.#child = child
    this.#log = log
    this.#meter = new ProcessMeter(pid)
    this.#exited = once(child, 'exit')
    process.once('exit', this.#kill)
  }

  /**
   * Starts it, with output going to `replicator.log` in `folder`. Its process id is written down in the folder above
   * for the watchdog there, which ends it even if this process is killed.
   *
   * @throws Error if the program cannot be started
   */
  static async start(command: Command, folder: string): Promise<ReplicatingProcess> {
    const log = join(folder, 'replicator.log')
    const output = openSync(log, 'a')
    const child = spawn(
      '/bin/sh',
      ['-c', startScript, 'causeway-bench', dirname(folder), basename(folder), command.file, ...command.args],
      { cwd: folder, stdio: ['ignore', output, output] },
    )
    closeSync(output)
    await once(child, 'spawn')
    return new ReplicatingProcess(child, child.pid!, log)
  }

  /** @throws Error with the end of its log if it has ended by itself */
  usage(): TreeUsage {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      throw new Error(
        `the replicator ended by itself (${this.#child.exitCode ?? this.#child.signalCode}):\n${this.logTail()}`,
      )
    }
    return this.#meter.read()
  }

  /** The last lines of its log, long ones cut. */
  logTail(): string {
    const lines = readFileSync(this.#log, 'utf8').trimEnd().split('\n').slice(-6)
    return lines.map((line) => `    ${line.slice(0, 400)}`).join('\n')
  }

  /** Asks it to stop, kills it if it does not. */
  async stop(): Promise<void> {
    process.off('exit', this.#kill)
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    this.#child.kill('SIGTERM')
    const cancel = new AbortController()
    await Promise.race([
      this.#exited,
      delay(stopTimeoutMs, undefined, { signal: cancel.signal }).then(this.#kill, () => {}),
    ])
    cancel.abort()
    await this.#exited
  }
}
