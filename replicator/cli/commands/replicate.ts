import { type Command, InvalidArgumentError } from 'commander'
import { exitCode } from '../exit-codes.ts'
import type { ReplicateArguments } from '../run-replicate.ts'

/** As the command line gives them: an option that may be repeated is absent until it is given once. */
type GivenArguments = Omit<ReplicateArguments, 'acceptGap'> & Partial<ReplicateArguments>

/** Adds `causeway replicate`. */
export function registerReplicate(program: Command): void {
  program
    .command('replicate')
    .description('run the flows of a topology until told to stop')
    .requiredOption(
      '-c, --config <file>',
      "causeway.yaml, or MirrorMaker 2's mm2.properties or list of connectors",
    )
    .option('--at <region>', 'only the flows placed at this region (default: all)')
    .option(
      '--accept-gap <topic[/partition]>',
      'go on where the source has deleted records that were not copied yet (repeatable)',
      (value: string, all: readonly string[] = []) => [...all, value],
    )
    .option('--drain-timeout <seconds>', 'how long SIGTERM waits for what is in flight', seconds, 30)
    .addHelpText(
      'after',
      `
Runs until SIGTERM or Ctrl-C, then settles what is in flight and writes progress; a second signal cuts.
On a terminal it says what happens and shows a progress line; elsewhere it writes one JSON object per line to stdout.
Health is served over HTTP on the port of the configuration (http.port, 8480): /healthz is 200 while the process
works, /readyz once every flow replicates. Both tell the flows as JSON.

Exit codes: ${exitCode.ok} drained, ${exitCode.failed} a flow failed by a fault of Causeway's own, ${exitCode.usage} command line or configuration, ${exitCode.environment} no port for
health, ${exitCode.cut} cut. Clusters that are away or refuse never end it: it says so and tries again.

Examples:
  causeway replicate -c causeway.yaml
  causeway replicate -c causeway.yaml --at eu-west
  causeway replicate -c mm2.properties
  causeway replicate -c causeway.yaml --accept-gap orders/3`,
    )
    .action(async ({ acceptGap = [], ...options }: GivenArguments) => {
      const { runReplicate } = await import('../run-replicate.ts')
      process.exitCode = await runReplicate({ ...options, acceptGap })
      // Cut means now: nothing that still hangs may keep the process.
      if (process.exitCode === exitCode.cut) process.exit()
    })
}

function seconds(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('Give a number of seconds.')
  return value
}
