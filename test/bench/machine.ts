/** The machine a result was measured on: figures mean nothing without it. */
import { execFile } from 'node:child_process'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { promisify } from 'node:util'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryBytes: number
  readonly kernel: string
  readonly node: string
  readonly java: string
  readonly kafka: string
  /** ISO 8601, UTC. */
  readonly date: string
}

/** Describes this machine. */
export async function describeMachine(options: {
  readonly javaPath: string
  readonly kafkaVersion: string
  readonly date: Date
}): Promise<Machine> {
  // `java -version` answers on stderr.
  const { stderr } = await promisify(execFile)(options.javaPath, ['-version'])
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    kernel: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    java: /"([^"]+)"/.exec(stderr)?.[1] ?? 'unknown',
    kafka: options.kafkaVersion,
    date: options.date.toISOString(),
  }
}

/**
 * What this machine takes to hand out memory that nobody has used yet, in milliseconds for each MiB: about 0.1 on bare
 * metal. A virtual machine that gets its memory from the host page by page may take a hundred times that, and then
 * whatever starts a process stalls.
 */
export function memoryTouchMs(): number {
  const mebibytes = 64
  const startMs = performance.now()
  Buffer.allocUnsafeSlow(mebibytes * 1024 * 1024).fill(1)
  return (performance.now() - startMs) / mebibytes
}
