import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CommandOutcome, runCommand } from '../../replicator/local/run-command.ts'
import type { FlowReport } from '../../replicator/verify/report.ts'
import { causewayCommand } from './replicate-process.ts'

/** `causeway verify` with a configuration file of its own in `folder`. */
export async function verifyCommand(
  folder: string,
  config: object,
  ...args: readonly string[]
): Promise<CommandOutcome> {
  const file = join(folder, 'verify.yaml')
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config))
  return runCommand(
    process.execPath,
    [causewayCommand, 'verify', '-c', file, ...args],
    {},
    AbortSignal.timeout(120_000),
  )
}

/** What `--json` printed. @throws SyntaxError with everything that was printed when that is no JSON */
export function verifyResult({ stdout, stderr }: CommandOutcome): {
  readonly identical: boolean
  readonly flows: readonly FlowReport[]
} {
  try {
    return JSON.parse(stdout)
  } catch {
    throw new SyntaxError(`no JSON: ${stdout}${stderr}`)
  }
}
