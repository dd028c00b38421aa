import type { Command } from 'commander'
import { exitCode } from '../exit-codes.ts'
import type { FlowResumeArguments } from '../run-flow-resume.ts'

/** Adds `causeway flow resume`. */
export function registerFlow(program: Command): void {
  const flow = program.command('flow').description('decide about partitions that have stopped')
  flow
    .command('resume')
    .description('let stopped partitions go on, from where you say')
    .argument('<topic[/partition]>', 'the source topic; without a partition all of them')
    .requiredOption('-c, --config <file>', 'the configuration file')
    .requiredOption(
      '--from <where>',
      'next (behind what was copied), earliest, latest, a source offset, or a time such as 2026-05-01T12:00:00Z',
    )
    .option('--flow <id>', 'which flow, where several take the topic, such as us-east->eu-west (quote it)')
    .option('--dry-run', 'only say what would be left out or copied again; change nothing')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
A partition stops when going on would lose, repeat or mix up records without anybody's knowledge: its source was cut,
re-created or outrun by retention, or its copy was tampered with. This command is how you decide. It says what is left
out or copied again, and asks nothing. A \`causeway replicate\` that runs goes on by itself within seconds; otherwise
the next start does. Records on either side are never touched.

Exit codes: ${exitCode.ok} every partition goes on (or would), ${exitCode.failed} some cannot, ${exitCode.usage} command line or configuration.

Examples:
  causeway flow resume -c causeway.yaml orders/3 --from earliest --dry-run
  causeway flow resume -c causeway.yaml orders/3 --from 184467
  causeway flow resume -c causeway.yaml orders --flow 'us-east->eu-west' --from 2026-05-01T12:00:00Z`,
    )
    .action(async (place: string, options: Omit<FlowResumeArguments, 'place'>) => {
      const { runFlowResume } = await import('../run-flow-resume.ts')
      process.exitCode = await runFlowResume({ ...options, place })
    })
}
