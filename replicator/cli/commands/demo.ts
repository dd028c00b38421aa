import { type Command, InvalidArgumentError } from 'commander'
import { exitCode } from '../exit-codes.ts'

interface DemoArguments {
  readonly records: number
  readonly keep?: true
  readonly json?: string
}

/** Adds `causeway demo`. */
export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('two real clusters, an order workload, live replication, and a verdict record by record')
    .option('--records <count>', 'how many records to write', parseRecords, 50_000)
    .option('--keep', 'leave clusters and replication running to explore, until Ctrl-C')
    .option('--json <file>', 'write the result to this file')
    .addHelpText(
      'after',
      `
Starts Kafka for us-east and eu-west on this machine, writes orders to us-east and replicates them to eu-west at the
same time, then compares both sides. Takes under a minute once Kafka is downloaded, and leaves nothing behind.
Needs Java 17 or newer and Maven, or Docker, or brokers that you already have: see causeway local --help.

Exit code ${exitCode.ok} only when both sides are identical, ${exitCode.failed} when they are not.

Examples:
  causeway demo
  causeway demo --keep
  causeway demo --records 500000 --json demo.json`,
    )
    .action(async ({ records, keep, json }: DemoArguments) => {
      const { withLocalErrors } = await import('../local-errors.ts')
      const { runDemo } = await import('../demo/run-demo.ts')
      const options = { records, keep: keep === true, ...(json === undefined ? {} : { json }) }
      process.exitCode = await withLocalErrors((signal) => runDemo(options, signal))
    })
}

const recordsMin = 1_000
const recordsMax = 10_000_000

function parseRecords(text: string): number {
  const count = Number(text)
  if (Number.isInteger(count) && count >= recordsMin && count <= recordsMax) return count
  throw new InvalidArgumentError(`It must be a whole number from ${recordsMin} to ${recordsMax}.`)
}
