import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { registerDemo } from './commands/demo.ts'
import { registerFlow } from './commands/flow.ts'
import { registerLocal } from './commands/local.ts'
import { registerMigrate } from './commands/migrate.ts'
import { registerOffsets } from './commands/offsets.ts'
import { registerReplicate } from './commands/replicate.ts'
import { registerTopology } from './commands/topology.ts'
import { registerVerify } from './commands/verify.ts'
import { exitCode } from './exit-codes.ts'

/** Every command, in the order of --help. A command loads what it needs only when it runs. */
const registrations: readonly ((program: Command) => void)[] = [
  registerDemo,
  registerReplicate,
  registerVerify,
  registerFlow,
  registerOffsets,
  registerMigrate,
  registerTopology,
  registerLocal,
]

/** The whole command line, ready to parse. */
export function buildProgram(): Command {
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
  causeway demo                                    see it work on this machine, within a minute
  causeway local up --regions us-east,eu-west      real clusters on this machine
  causeway <command> --help                        options and examples of a command`,
    )
  for (const register of registrations) register(program)
  return program
}
