import { readFileSync } from 'node:fs'
import { formatNote, formatProblem } from '../config/config-problem.ts'
import { type CausewayConfig, loadConfig } from '../config/load-config.ts'
import { refusals } from '../topology/refusals.ts'
import { CommandFailure } from './command-failure.ts'
import { exitCode } from './exit-codes.ts'
import type { Output } from './output.ts'

/**
 * Reads a configuration that can be run; tells its warnings, and on demand what of a foreign file means something else.
 * @throws CommandFailure with every problem of the file, or with what speaks against running it
 */
export function readConfig(
  path: string,
  output: Output,
  { notes = false }: { readonly notes?: boolean } = {},
): CausewayConfig {
  const loaded = loadConfig({ path, readFile: (file) => readFileSync(file), environment: process.env })
  if (!loaded.ok) throw new CommandFailure(exitCode.usage, loaded.problems.map(formatProblem).join('\n'))
  for (const warning of loaded.warnings)
    output.note(`${output.styledNote('yellow', 'warning:')} ${formatProblem(warning)}`)
  for (const note of notes ? loaded.notes : []) {
    output.note(`${output.styledNote('dim', 'note:')} ${formatNote(note)}`)
  }
  const refused = refusals(loaded.config.topology)
  if (refused.length > 0) {
    const lines = refused.map(({ message, hint }) => `${path}: ${message}; ${hint}`)
    throw new CommandFailure(exitCode.usage, lines.join('\n'))
  }
  return loaded.config
}
