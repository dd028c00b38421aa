import type { Command } from 'commander'
import { exitCode } from '../exit-codes.ts'
import type { MigrateArguments } from '../run-migrate.ts'

/** Adds `causeway migrate from-mm2` and `causeway migrate to-mm2`. */
export function registerMigrate(program: Command): void {
  const migrate = program
    .command('migrate')
    .description('take flows over from MirrorMaker 2, or give them back, without a duplicate or a gap')
  withOptions(migrate.command('from-mm2'))
    .description('go on exactly where a MirrorMaker 2 that has ended, or was killed, stopped copying')
    .addHelpText(
      'after',
      `
MirrorMaker 2 stores how far it copied once a minute, so a killed one has copied more than it has stored. This command
reads what it stored, compares what both logs hold behind it, record by record, and writes where each partition goes on
as Causeway's own progress: nothing that is on the target is copied again, and nothing is left out. A partition whose
contents do not tell is not guessed: it says why, and causeway replicate leaves it stopped. Partitions that have
Causeway's progress already are left alone, so that it can be run again.

MirrorMaker 2 must have ended, on every machine. It is watched for some seconds: members in its Connect group, new
heartbeats, offsets that are stored, copies that grow. --assume-stopped leaves that out.

Exit codes: ${exitCode.ok} every partition was (or would be) taken or left alone, ${exitCode.failed} some or all were refused, ${exitCode.usage} command line or configuration.

Examples:
  causeway migrate from-mm2 -c mm2.properties --dry-run
  causeway migrate from-mm2 -c mm2.properties --flow 'A->B' --yes
  causeway migrate from-mm2 -c connectors.yaml --offsets-topic connect-offsets --connect-group connect-cluster --yes
  causeway migrate from-mm2 -c causeway.yaml --mm2-source A --yes`,
    )
    .action((options: MigrateArguments) => act('from-mm2', options))
  withOptions(migrate.command('to-mm2'))
    .description('let a MirrorMaker 2 that is started afterwards go on exactly where Causeway stopped')
    .addHelpText(
      'after',
      `
Stop causeway replicate first, every replica. This command takes the flow's shards over, so that nobody else writes,
finds where each partition stands, marks its progress as handed over, and stores that place where MirrorMaker 2 looks
when it starts. A causeway replicate that is started all the same leaves these partitions alone, until
causeway migrate from-mm2 takes them back. It can be run again, also after it was killed.

Exit codes: ${exitCode.ok} every partition was (or would be) handed over or left alone, ${exitCode.failed} some or all were refused, ${exitCode.usage} command line or configuration.

Examples:
  causeway migrate to-mm2 -c mm2.properties --dry-run
  causeway migrate to-mm2 -c mm2.properties --yes
  causeway migrate to-mm2 -c causeway.yaml --flow 'us-east->eu-west' --mm2-source us-east --yes`,
    )
    .action((options: MigrateArguments) => act('to-mm2', options))
}

function withOptions(command: Command): Command {
  return command
    .requiredOption('-c, --config <file>', 'mm2.properties, a list of connectors, or causeway.yaml')
    .option('--flow <id>', 'one flow only, such as A->B (quote it)')
    .option(
      '--offsets-topic <name>',
      "where Connect keeps source offsets (default: MirrorMaker 2's mm2-offsets.<source>.internal)",
    )
    .option(
      '--connector <name>',
      "the MirrorSourceConnector's name (default: the file's, or MirrorSourceConnector)",
    )
    .option('--mm2-source <alias>', "MirrorMaker 2's alias of the source (default: the flow's)")
    .option('--connect-group <id>', "group.id of the Connect workers (default: MirrorMaker 2's <source>-mm2)")
    .option('--assume-stopped', 'do not look whether MirrorMaker 2 or a replica still runs')
    .option('--dry-run', 'only show what would be done; change nothing')
    .option('--yes', 'do not ask')
    .option('--json', 'print JSON')
}

async function act(way: 'from-mm2' | 'to-mm2', options: MigrateArguments): Promise<void> {
  const { runMigrate } = await import('../run-migrate.ts')
  process.exitCode = await runMigrate(way, options)
}
