import { CommanderError } from 'commander'
import { CommandFailure } from './command-failure.ts'
import { exitCode } from './exit-codes.ts'
import { openOutput } from './output.ts'
import { buildProgram } from './program.ts'

/** Runs one command line and returns its exit code. */
async function run(argv: readonly string[]): Promise<number> {
  try {
    await buildProgram().parseAsync([...argv])
    return Number(process.exitCode ?? exitCode.ok)
  } catch (error) {
    // Commander has written its own message by then; asking for help is no failure.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.usage
    const { note, styledNote } = openOutput()
    if (error instanceof CommandFailure) {
      note(`${styledNote('red', 'error:')} ${error.message}`)
      return error.exitCode
    }
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    note(`${styledNote('red', 'unexpected error:')} ${text}`)
    return exitCode.failed
  }
}

process.exitCode = await run(process.argv)
