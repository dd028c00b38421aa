/** The command line of `npm run bench`. Pure. */
import { parseArgs } from 'node:util'
import { type SystemName, systemNames, type WorkloadName, workloadNames } from './results.ts'

export interface BenchOptions {
  readonly quick: boolean
  /** Measure where groups go on that change clusters, and nothing else. */
  readonly offsets: boolean
  readonly rounds: number
  readonly systems: readonly SystemName[]
  readonly workloads: readonly WorkloadName[]
  /** The seeding producer's `batch.size`. */
  readonly producerBatchBytes: number
  readonly jsonFile?: string
  readonly plotFile?: string
  /** Draw this result again instead of measuring. */
  readonly plotFrom?: string
}

/** Those that carry consumer groups over. */
const offsetsSystems: readonly SystemName[] = ['causeway', 'mirrormaker2']

export const usage = `npm run bench -- [options]

Measures Causeway against MirrorMaker 2 and, if it is on PATH, Redpanda Connect, on two Kafka clusters of one
broker each that it starts on this machine. Needs Linux, Java 17 and about 10 GB of free disk in TMPDIR
(3 GB with --quick). A full run takes about 40 minutes.

  --offsets           instead of the workloads: records that consumer groups skip and read again when they change
                      clusters, by lag; under 6 minutes, with ${offsetsSystems.join(' and ')}
  --quick             smaller data, one round, fewer systems and workloads; under 3 minutes
  --systems a,b       of: ${systemNames.join(', ')}
  --workloads a,b     of: ${workloadNames.join(', ')}
  --rounds N          rounds of each copy, in alternating order (default 3; latency is always one round)
  --batch-bytes N     batch.size of the producer that fills the source (default 65536)
  --json FILE         write the result
  --plot FILE         draw the result as SVG
  --plot-from FILE    draw an earlier result instead of measuring, and print it as the README shows it; needs --plot
`

/** Systems and workloads that fit into three minutes. */
const quickSystems: readonly SystemName[] = ['causeway', 'mirrormaker2-tuned', 'redpanda-connect']
const quickWorkloads: readonly WorkloadName[] = ['throughput-1k', 'latency-10mbs', 'long-link-8']

/** @returns undefined if help is asked for @throws Error that says what is wrong with the command line */
export function parseOptions(args: readonly string[]): BenchOptions | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      offsets: { type: 'boolean', default: false },
      systems: { type: 'string' },
      workloads: { type: 'string' },
      rounds: { type: 'string' },
      'batch-bytes': { type: 'string', default: '65536' },
      json: { type: 'string' },
      plot: { type: 'string' },
      'plot-from': { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return undefined
  if (values['plot-from'] && !values.plot)
    throw new Error('--plot-from needs --plot FILE, the file to draw into')
  const systems = values.offsets ? offsetsSystems : systemNames
  return {
    quick: values.quick,
    offsets: values.offsets,
    rounds: positive('--rounds', values.rounds ?? (values.quick ? '1' : '3')),
    systems: pick(
      '--systems',
      values.systems,
      systems,
      values.quick && !values.offsets ? quickSystems : systems,
    ),
    workloads: pick(
      '--workloads',
      values.workloads,
      workloadNames,
      values.quick ? quickWorkloads : workloadNames,
    ),
    producerBatchBytes: positive('--batch-bytes', values['batch-bytes']),
    ...(values.json !== undefined && { jsonFile: values.json }),
    ...(values.plot !== undefined && { plotFile: values.plot }),
    ...(values['plot-from'] !== undefined && { plotFrom: values['plot-from'] }),
  }
}

/** Keeps the order of `all`, whatever the order on the command line. */
function pick<Name extends string>(
  option: string,
  list: string | undefined,
  all: readonly Name[],
  byDefault: readonly Name[],
): readonly Name[] {
  if (list === undefined) return byDefault
  const asked = list.split(',').map((name) => name.trim())
  const unknown = asked.filter((name) => !all.some((known) => known === name))
  if (unknown.length > 0)
    throw new Error(`${option}: unknown ${unknown.join(', ')}; known are ${all.join(', ')}`)
  return all.filter((name) => asked.includes(name))
}

function positive(option: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1)
    throw new Error(`${option}: ${text} is not a whole number above 0`)
  return value
}
