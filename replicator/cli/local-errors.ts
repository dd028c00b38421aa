import { LocalError } from '../local/local-error.ts'
import { CommandFailure } from './command-failure.ts'
import { exitCode } from './exit-codes.ts'

/**
 * Runs `work` until it ends or a signal does, and turns what this machine lacks into an exit code. Only the first
 * signal is handled: a second one ends the process at once, and what it started goes with it.
 * @throws CommandFailure
 */
export async function withLocalErrors<Result>(
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const stop = new AbortController()
  const names = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const onSignal = () => {
    for (const name of names) process.removeListener(name, onSignal)
    stop.abort(new CommandFailure(exitCode.cut, 'Stopped; nothing is left running.'))
  }
  for (const name of names) process.once(name, onSignal)
  try {
    return await work(stop.signal)
  } catch (error) {
    if (!(error instanceof LocalError)) throw error
    const code = error.problem === 'bad-request' ? exitCode.usage : exitCode.environment
    throw new CommandFailure(code, error.message, { cause: error })
  } finally {
    for (const name of names) process.removeListener(name, onSignal)
  }
}
