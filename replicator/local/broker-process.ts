import { type ChildProcess, spawn } from 'node:child_process'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { BrokerHost } from './broker-host.ts'
import { explainFileError, LocalError } from './local-error.ts'
import { startScript } from './watchdog.ts'

/** One running broker process. */
export interface BrokerProcess {
  readonly pid: number
  /** True until the process is gone. */
  isRunning(): boolean
  signal(name: NodeJS.Signals): void
  /** Resolves once the process is gone. */
  exited(): Promise<void>
}

export interface BrokerStart {
  readonly id: number
  /** The cluster's folder: holds the broker's settings, data and process id. */
  readonly folder: string
  /** Where it runs. */
  readonly host: BrokerHost
  /** Java and its arguments. */
  readonly command: readonly string[]
  /** What the JVM itself prints (a crash, for one); appended to. */
  readonly outputFile: string
}

/** How to run Java for a broker: `quick` starts quickest, `throughput` serves fastest (for measurements). */
export type JvmTuning = 'quick' | 'throughput'

/** The JVM's arguments for a broker of `heapMb` MiB. */
export function brokerJvmArguments(
  tuning: JvmTuning,
  heapMb: number,
  classArchive: string | undefined,
): readonly string[] {
  return [
    ...(tuning === 'quick'
      ? [`-Xmx${heapMb}m`, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1']
      : [
          `-Xms${heapMb}m`,
          `-Xmx${heapMb}m`,
          // Where a virtual machine gets its memory page by page from the host, a growing heap stalls for seconds.
          '-XX:+AlwaysPreTouch',
          '-XX:+UseG1GC',
          '-XX:MaxGCPauseMillis=20',
        ]),
    '-Djava.awt.headless=true',
    '-XX:-UsePerfData',
    ...(classArchive === undefined ? [] : ['-Xshare:auto', `-XX:SharedArchiveFile=${classArchive}`]),
  ]
}

/**
 * Starts a broker in a session of its own, so that Ctrl-C in the terminal leaves it to its owner. Does not wait for
 * it to be ready.
 * @throws LocalError `java-missing` or `disk-full`.
 */
export async function startBrokerProcess(start: BrokerStart): Promise<BrokerProcess> {
  const output = await open(start.outputFile, 'a').catch((error: unknown) => {
    throw explainFileError(error, start.folder)
  })
  try {
    const shell = [...start.host.prefix, '/bin/sh', '-c', startScript, 'causeway-broker']
    const [program = '', ...args] = [...shell, start.folder, String(start.id), ...start.command]
    const child = spawn(program, args, {
      stdio: ['ignore', output.fd, output.fd],
      detached: true,
      cwd: start.folder,
    })
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve)
      child.once('error', reject)
    })
    child.unref()
    return own(child, (pid, name) => start.host.signal(start.id, pid, name))
  } catch (error) {
    throw new LocalError('java-missing', `Broker ${start.id} could not be started.`, 'Is /bin/sh there?', {
      cause: error,
    })
  } finally {
    await output.close()
  }
}

function own(child: ChildProcess, send: (pid: number, name: NodeJS.Signals) => void): BrokerProcess {
  const pid = child.pid
  if (pid === undefined) throw new Error('a spawned process has an id')
  const isRunning = () => child.exitCode === null && child.signalCode === null
  return {
    pid,
    isRunning,
    signal(name) {
      if (isRunning()) send(pid, name)
    },
    async exited() {
      // The child does not keep this process alive, hence no waiting on its event alone.
      while (isRunning()) await delay(10)
    },
  }
}

/**
 * Why a broker ended, from what it logged.
 * `port-taken` is worth another try with other ports.
 */
export async function explainBrokerEnd(
  id: number,
  alias: string,
  files: readonly string[],
): Promise<LocalError> {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8').catch(() => '')))
  return brokerFailure(id, alias, texts.join('\n'), files)
}

/** The pure part of {@link explainBrokerEnd}. */
export function brokerFailure(id: number, alias: string, log: string, files: readonly string[]): LocalError {
  const where = `Broker ${id} of ${alias}`
  const see = `Its log: ${files.join(', ')}`
  if (/BindException|Address already in use/.test(log)) {
    const retriable = { retriable: true }
    return new LocalError('port-taken', `${where} found its port taken.`, `Try again. ${see}`, retriable)
  }
  if (/No space left on device|Disk quota exceeded/.test(log)) {
    return new LocalError('disk-full', `${where} found the disk full.`, `Free some space. ${see}`)
  }
  if (/OutOfMemoryError|Could not reserve enough space|Cannot allocate memory/.test(log)) {
    const remedy = `Free some memory, or give it more heap (heapMb). ${see}`
    return new LocalError('broker-failed', `${where} ran out of memory.`, remedy)
  }
  const telling = log.split('\n').filter((line) => /ERROR|FATAL|Exception|^Error/.test(line))
  const reason = telling.slice(0, 6).join('\n') || log.trim().split('\n').slice(-6).join('\n')
  return new LocalError('broker-failed', `${where} ended:\n${reason}`, see)
}

/** Where a broker's log and the JVM's own output go. */
export function logFiles(folder: string, id: number): { readonly log: string; readonly output: string } {
  return { log: join(folder, `broker-${id}.log`), output: join(folder, `broker-${id}.out`) }
}
