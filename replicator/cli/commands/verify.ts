import { type Command, InvalidArgumentError } from 'commander'
import { exitCode } from '../exit-codes.ts'
import type { VerifyArguments } from '../run-verify.ts'

/** Adds `causeway verify`. */
export function registerVerify(program: Command): void {
  program
    .command('verify')
    .description('compare source and target by content: every record, in order')
    .requiredOption('-c, --config <file>', 'the configuration file')
    .option('--flow <id>', 'only this flow, such as us-east->eu-west (default: all)')
    .option('--topic <name...>', 'only these topics, by their names on the source (default: all of the flow)')
    .option(
      '--settle <seconds>',
      'how long the target may take to show what the source has, from the start',
      seconds,
      10,
    )
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Reads both sides as a read_committed consumer does and compares key, value, headers, timestamp and order, partition by
partition. Changes nothing. May run while the flow is at work: records that come later than its start are left out,
and the target has some time to show those that were there (--settle). Never prints what records contain.
Where topics of one name hold records of several regions, what the source's own clients wrote is compared with what
the flow wrote.
Compacted topics whose cleaner has been at one side are compared by the last record of each key, all keys in memory.

Digests are SHA-256 over all records in order, offsets left out; --json has them whole.
Exit codes: ${exitCode.ok} identical, ${exitCode.failed} different, or not everything could be read, ${exitCode.usage} command line or configuration.

Examples:
  causeway verify -c causeway.yaml
  causeway verify -c causeway.yaml --flow 'us-east->eu-west' --topic orders payments
  causeway verify -c causeway.yaml --json | jq '.flows[].partitions[] | select(.verdict != "identical")'`,
    )
    .action(async (options: VerifyArguments) => {
      const { runVerify } = await import('../run-verify.ts')
      process.exitCode = await runVerify(options)
    })
}

function seconds(text: string): number {
  const value = Number(text)
  if (!Number.isFinite(value) || value < 0) throw new InvalidArgumentError('Give a number of seconds.')
  return value
}
