import type { Command } from 'commander'
import { exitCode } from '../exit-codes.ts'
import type { OffsetsExplainArguments } from '../run-explain.ts'
import type { OffsetsTranslateArguments } from '../run-offsets.ts'

/** Adds `causeway offsets translate` and `causeway offsets explain`. */
export function registerOffsets(program: Command): void {
  const offsets = program.command('offsets').description('where positions of one side stand on the other')
  registerTranslate(offsets)
  registerExplain(offsets)
}

function registerTranslate(offsets: Command): void {
  offsets
    .command('translate')
    .description('find where a consumer goes on in the copy, or back in the source')
    .argument('[position...]', 'topic/partition@offset, such as payments/0@4198: the next offset to read')
    .requiredOption('-c, --config <file>', 'the configuration file')
    .option('--flow <id>', 'which flow, where there are several, such as us-east->eu-west (quote it)')
    .option('--group <id>', 'what this consumer group has committed, in place of positions')
    .option('--back', 'from the target to the source; topics by their names on the target')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Reads the map that the flow keeps on its target about what it copied where, and changes nothing. Where a crash left the
ends of a stretch only, both logs are read there, for at most five seconds. Positions can be looked up while the source
is gone; a group's commits are asked for on the side that is translated from.

The answer to a position is one of:
  exact           reading on there skips nothing and reads nothing again
  between         copied around a crash, and the logs did not tell more: from the lower end nothing is skipped, and at
                  most so many records as it says are read again
  not copied yet  above what the map knows; the flow writes it every five seconds
  before the map  below what the map knows: copied before there was a map, or deleted on either side
  no map          nothing is known of the partition; it says why

Exit codes: ${exitCode.ok} every position has an answer, exact or between, ${exitCode.failed} some have none, or the clusters do not answer, ${exitCode.usage} command line or configuration.

Examples:
  causeway offsets translate -c causeway.yaml payments/0@4198 payments/1@4158
  causeway offsets translate -c causeway.yaml --flow 'us-east->eu-west' --group billing
  causeway offsets translate -c causeway.yaml --back payments/0@4201
  causeway offsets translate -c causeway.yaml --group billing --json | jq '.positions[] | select(.answer.kind != "exact")'`,
    )
    .action(async (positions: readonly string[], options: Omit<OffsetsTranslateArguments, 'positions'>) => {
      const { runOffsetsTranslate } = await import('../run-offsets.ts')
      process.exitCode = await runOffsetsTranslate({ ...options, positions })
    })
}

function registerExplain(offsets: Command): void {
  offsets
    .command('explain')
    .description('tell why a consumer group stands where it does on the target')
    .requiredOption('-c, --config <file>', 'the configuration file')
    .requiredOption('--group <id>', 'the consumer group')
    .option('--flow <id>', 'which flow, where there are several, such as us-east->eu-west (quote it)')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Says for every partition of the group where it stands on the target and whose commit that is (the flow's, for which
position of the source and when; its own members'; nobody's), where it stands on the source, what the flow's map makes
of that, why the two differ if they do, and what can be done. Changes nothing. Works from the target alone when the
source cannot be reached, and says so.

Exit codes: ${exitCode.ok} every partition stands where its commit on the source leads (where it led when it was followed last,
if the source is away), ${exitCode.failed} some do not, nothing is committed, or the target does not answer, ${exitCode.usage} command line or configuration.

Examples:
  causeway offsets explain -c causeway.yaml --group billing
  causeway offsets explain -c causeway.yaml --flow 'us-east->eu-west' --group billing
  causeway offsets explain -c causeway.yaml --group billing --json | jq '.partitions[] | select(.isInStep | not)'`,
    )
    .action(async (options: OffsetsExplainArguments) => {
      const { runOffsetsExplain } = await import('../run-explain.ts')
      process.exitCode = await runOffsetsExplain(options)
    })
}
