/** CPU time and memory of a process and all its descendants, from Linux's /proc (proc_pid_stat(5), proc_pid_status(5)). */
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** Of one process. CPU includes children that ended and were waited for. */
export interface ProcessStat {
  readonly pid: number
  readonly parentPid: number
  readonly cpuTicks: number
}

/** Of a process tree at one moment. */
export interface TreeUsage {
  readonly cpuSeconds: number
  readonly rssBytes: number
  /** Each process's own peak, added up: an upper bound of the tree's peak, exact for a single process. */
  readonly rssPeakBytes: number
}

/** USER_HZ, fixed at 100 by the kernel's ABI on every architecture that Node runs on. */
const ticksPerSecond = 100

/** Reads the line of `/proc/<pid>/stat`. The command in parentheses may itself hold blanks and parentheses. */
export function parseStat(line: string): ProcessStat {
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
  const at = (index: number) => Number(fields[index])
  // Behind the command: state, ppid, ...; utime, stime, cutime and cstime are fields 14 to 17 of the whole line.
  return { pid: Number.parseInt(line, 10), parentPid: at(1), cpuTicks: at(11) + at(12) + at(13) + at(14) }
}

/** Resident memory now and at its peak, in bytes, from `/proc/<pid>/status`; 0 for a process that has no memory left. */
export function parseStatus(text: string): { readonly rssBytes: number; readonly rssPeakBytes: number } {
  const kibibytes = (key: string) => Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0)
  return { rssBytes: kibibytes('VmRSS') * 1024, rssPeakBytes: kibibytes('VmHWM') * 1024 }
}

/** The given process and all below it. */
export function descendants(root: number, all: readonly ProcessStat[]): ProcessStat[] {
  const tree = all.filter((stat) => stat.pid === root)
  for (const parent of tree) tree.push(...all.filter((stat) => stat.parentPid === parent.pid))
  return tree
}

/**
 * How long a tree is taken to consist of the same processes, because looking through all of /proc costs milliseconds:
 * a twentieth of the time it was watched, for launchers start the real process early, but a second at most.
 */
function treeAgeMaxMs(watchedMs: number): number {
  return Math.min(1000, watchedMs / 20)
}

/** Measures one process tree, repeatedly. */
export class ProcessMeter {
  readonly #root: number
  readonly #createdAtMs = performance.now()
  #pids: readonly number[] = []
  #foundAtMs = Number.NEGATIVE_INFINITY

  /** @throws Error where there is no /proc */
  constructor(pid: number) {
    if (!existsSync('/proc/self/stat')) {
      throw new Error('the benchmark reads CPU and memory from /proc: it runs on Linux only')
    }
    this.#root = pid
  }

  /** Usage now. A tree that has ended is reported as all zeros. */
  read(): TreeUsage {
    const now = performance.now()
    if (now - this.#foundAtMs > treeAgeMaxMs(now - this.#createdAtMs)) {
      const all = readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? readProcess(name) : []))
      this.#pids = descendants(this.#root, all).map((stat) => stat.pid)
      this.#foundAtMs = now
    }
    const stats = this.#pids.flatMap((pid) => readProcess(String(pid)))
    const memory = this.#pids.map((pid) => parseStatus(readProcFile(`${pid}/status`)))
    return {
      cpuSeconds: stats.reduce((sum, stat) => sum + stat.cpuTicks, 0) / ticksPerSecond,
      rssBytes: memory.reduce((sum, of) => sum + of.rssBytes, 0),
      rssPeakBytes: memory.reduce((sum, of) => sum + of.rssPeakBytes, 0),
    }
  }
}

function readProcess(name: string): ProcessStat[] {
  const line = readProcFile(`${name}/stat`)
  return line ? [parseStat(line)] : []
}

/** Empty if the process ended meanwhile. */
function readProcFile(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'utf8')
  } catch {
    return ''
  }
}
