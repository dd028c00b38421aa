import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command, CommanderError } from 'commander'
import { CommandFailure } from './command-failure.ts'
import { registerLocal } from './commands/local.ts'
import { registerReplicate } from './commands/replicate.ts'
import { registerTopology } from './commands/topology.ts'
import { exitCode } from './exit-codes.ts'
import { openOutput } from './output.ts'

/** Every command, in the order of --help. A command loads what it needs only when it runs. */
const registrations: readonly ((program: Command) => void)[] = [
  registerReplicate,
  registerTopology,
  registerLocal,
]

function buildProgram(): Command {
  const manifest = JSON.parse(readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8')) as {
    readonly version: string
  }
  const program = new Command('causeway')
    .description('Cross-region Apache Kafka: exactly what one cluster holds, on another')
    .version(manifest.version)
    .exitOverride()
    .showHelpAfterError('(causeway --help shows how)')
    .addHelpText(
      'after',
      `
Exit codes:
  ${exitCode.ok}    the command did what was asked
  ${exitCode.failed}    it ran, and the answer is no: not identical, not healthy, a step failed
  ${exitCode.usage}    the command line or a configuration file is wrong; nothing was changed
  ${exitCode.environment}    this machine lacks something: Java, a port, disk space
  ${exitCode.cut}  ended by a second signal, before everything in flight was settled

Examples:
  causeway local up --regions us-east,eu-west      real clusters on this machine
  causeway <command> --help                        options and examples of a command`,
    )
  for (const register of registrations) register(program)
  return program
}

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
