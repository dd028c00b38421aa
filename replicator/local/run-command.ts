import { spawn } from 'node:child_process'

/** How a program ended, and what it said. */
export interface CommandOutcome {
  /** Exit code; `undefined` when a signal ended it. */
  readonly code: number | undefined
  readonly stdout: string
  readonly stderr: string
}

/** What is kept of each output stream, in characters: the end is where programs say why they failed. */
const outputCharsMax = 200_000

/**
 * Runs a program to its end and returns what it said; a failing exit code is data, not an exception.
 * @throws the system's error (`ENOENT` where there is no such program), or the signal's reason.
 */
export function runCommand(
  program: string,
  args: readonly string[],
  options: {
    readonly cwd?: string
    readonly env?: NodeJS.ProcessEnv
    readonly input?: string
    readonly onLine?: (line: string) => void
  },
  signal: AbortSignal,
): Promise<CommandOutcome> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted()
    const child = spawn(program, args, {
      stdio: [options.input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
    })
    const stop = () => child.kill('SIGKILL')
    signal.addEventListener('abort', stop, { once: true })
    let stdout = ''
    let stderr = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout = (stdout + text).slice(-outputCharsMax)
      for (const line of text.split('\n')) if (line.trim() !== '') options.onLine?.(line.trim())
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-outputCharsMax)
    })
    // A program that ends without reading its input is its own business; its exit code tells.
    child.stdin?.on('error', () => {}).end(options.input)
    child.on('error', (error) => {
      signal.removeEventListener('abort', stop)
      reject(error)
    })
    child.on('close', (code) => {
      signal.removeEventListener('abort', stop)
      if (signal.aborted) reject(signal.reason)
      else resolve({ code: code ?? undefined, stdout, stderr })
    })
  })
}
