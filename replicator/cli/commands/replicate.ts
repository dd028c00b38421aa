import { type Command, InvalidArgumentError } from 'commander'
import type { ReplicateArguments } from '../run-replicate.ts'

/** Adds `causeway replicate`. */
export function registerReplicate(program: Command): void {
  program
    .command('replicate')
    .description('run the flows of a topology until told to stop')
    .requiredOption('-c, --config <file>', 'the configuration file')
    .option('--at <region>', 'only the flows placed at this region (default: all)')
    .option(
      '--accept-gap <topic[/partition]>',
      'go on where the source has deleted records that were not copied yet (repeatable)',
      (value: string, all: string[]) => [...all, value],
      [],
    )
    .option('--drain-timeout <seconds>', 'how long SIGTERM waits for what is in flight', seconds, 30)
    .addHelpText(
      'after',
      `
Runs until SIGTERM or Ctrl-C, then settles what is in flight and writes progress; a second signal cuts.
On a terminal it shows a progress line per flow; elsewhere it writes structured logs (JSON) to stdout.
Health is served over HTTP on the port of the configuration: /healthz, /readyz.

Examples:
  causeway replicate -c causeway.yaml
  causeway replicate -c causeway.yaml --at eu-west
  causeway replicate -c causeway.yaml --accept-gap orders/3`,
    )
    .action(async (options: ReplicateArguments) => {
      const { runReplicate } = await import('../run-replicate.ts')
      process.exitCode = await runReplicate(options)
    })
}

function seconds(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('Give a number of seconds.')
  return value
}
