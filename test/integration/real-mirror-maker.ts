import { type ChildProcess, spawn } from 'node:child_process'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import { brokerJvmArguments } from '../../replicator/local/broker-process.ts'
import { installKafka } from '../../replicator/local/installation.ts'

/** MirrorMaker 2 in dedicated mode. */
export class RealMirrorMaker {
  readonly #child: ChildProcess
  #said = ''
  readonly #ended: Promise<void>

  private constructor(javaPath: string, args: readonly string[]) {
    this.#child = spawn(javaPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#said = (this.#said + text).slice(-20_000)
      })
    }
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', () => resolve())
      this.#child.once('close', () => resolve())
    })
  }

  /** @param file an mm2.properties */
  static async start(file: string): Promise<RealMirrorMaker> {
    const { javaPath, classpath, classArchive } = await installKafka({}, new AbortController().signal)
    return new RealMirrorMaker(javaPath, [
      ...brokerJvmArguments('quick', 384, classArchive),
      '-Dlog4j2.level=WARN',
      ...['-cp', classpath, 'org.apache.kafka.connect.mirror.MirrorMaker', file],
    ])
  }

  /** The end of everything that it printed. */
  get said(): string {
    return this.#said
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** SIGKILL: what it stored trails what it copied. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    const limit = new AbortController()
    const tooLate = systemClock.sleep(20_000, limit.signal).then(
      () => this.#child.kill('SIGKILL'),
      () => {},
    )
    await this.#ended
    limit.abort()
    await tooLate
  }
}
