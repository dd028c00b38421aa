import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { formatNote, formatProblem } from '../../config/config-problem.ts'
import { type CausewayConfig, loadConfig } from '../../config/load-config.ts'
import { jsonSchema } from '../../config/schema.ts'
import { type MirrorPlan, mirrorPlanOf, plannedTopics } from '../../processes/mirror-plan-of.ts'
import type { Flow, NameSelection, TopicSelection } from '../../topology/model.ts'
import { formatNaming } from '../../topology/naming.ts'
import { type Refusal, refusals } from '../../topology/refusals.ts'
import { exitCode } from '../exit-codes.ts'

/** Adds `causeway topology check` and `causeway topology schema`. */
export function registerTopology(program: Command): void {
  const topology = program.command('topology').description('check and describe a declared topology')
  topology
    .command('check')
    .description('check a configuration: prints its regions and flows, or every problem with its place')
    .requiredOption('-c, --config <file>', 'the configuration file')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Examples:
  causeway topology check -c causeway.yaml
  causeway topology check -c causeway.yaml --json
  causeway topology check -c mm2.properties        what a configuration of MirrorMaker 2 comes to`,
    )
    .action((options: { config: string; json?: boolean }, command: Command) => {
      process.exitCode = check(options.config, options.json === true, outputOf(command))
    })
  topology
    .command('schema')
    .description('print the JSON Schema of causeway.yaml, for editors')
    .option('--json', 'print JSON, which it always is')
    .addHelpText(
      'after',
      `
Examples:
  causeway topology schema > causeway.schema.json`,
    )
    .action((_, command: Command) => outputOf(command).print(JSON.stringify(jsonSchema(), null, 2)))
}

interface Output {
  print(line: string): void
  complain(line: string): void
}

function outputOf(command: Command): Output {
  const { writeOut, writeErr } = command.configureOutput()
  return { print: (line) => writeOut?.(`${line}\n`), complain: (line) => writeErr?.(`${line}\n`) }
}

function check(path: string, json: boolean, { print, complain }: Output): number {
  const loaded = loadConfig({ path, readFile: (file) => readFileSync(file), environment: process.env })
  if (!loaded.ok) {
    if (json) print(JSON.stringify({ ok: false, problems: loaded.problems }, null, 2))
    else for (const problem of loaded.problems) complain(formatProblem(problem))
    return exitCode.usage
  }
  const { config, warnings, notes } = loaded
  const refused = refusals(config.topology)
  if (json) {
    const { topology } = config
    const ok = refused.length === 0
    print(JSON.stringify({ ok, topology, warnings, notes, refusals: refused }, null, 2))
  } else {
    for (const warning of warnings) complain(`warning: ${formatProblem(warning)}`)
    for (const note of notes) complain(`note: ${formatNote(note)}`)
    print(describe(config, refused))
  }
  return refused.length === 0 ? exitCode.ok : exitCode.failed
}

function describe(config: CausewayConfig, refused: readonly Refusal[]): string {
  const { topology, connections } = config
  const aliasWidth = Math.max(...topology.regions.map(({ alias }) => alias.length))
  const regions = topology.regions.map(({ alias, role }) => {
    const settings = connections.get(alias)
    const login = settings?.sasl?.mechanism ?? 'no log-in'
    const transport = settings?.tls === undefined ? 'plaintext' : 'TLS'
    const servers = settings?.bootstrap.join(', ') ?? ''
    return `  ${alias.padEnd(aliasWidth)}  ${role.padEnd(7)}  ${servers}  ${transport}, ${login}`
  })
  const flows = topology.flows.flatMap((flow) => describeFlow(flow, mirrorPlanOf(flow, config)))
  const verdict =
    refused.length === 0
      ? ['Sound.']
      : ['Sound, but refused to run:', ...refused.map(({ message, hint }) => `  ${message}; ${hint}`)]
  return [`${topology.name}  ${topology.pattern}`, 'Regions', ...regions, 'Flows', ...flows, ...verdict].join(
    '\n',
  )
}

function describeFlow(flow: Flow, plan: MirrorPlan | undefined): string[] {
  const list = (selections: readonly TopicSelection[]): string => selections.map(describeSelection).join(', ')
  return [
    `  ${flow.source} -> ${flow.target}  ${formatNaming(flow.naming)} naming, runs at the ${flow.placement}`,
    `    topics ${list(flow.topics)}`,
    ...(flow.paused.length === 0 ? [] : [`    paused ${list(flow.paused)}`]),
    ...(flow.groups.length === 0 ? [] : [`    groups ${list(flow.groups)}`]),
    ...(plan === undefined ? [] : describeMirror(flow, plan)),
  ]
}

/** MirrorMaker 2's topics that the flow writes. */
function describeMirror(flow: Flow, plan: MirrorPlan): string[] {
  const places = (['source', 'target'] as const).flatMap((side) => {
    const topics = plannedTopics(plan, side)
    return topics.length === 0 ? [] : [`${topics.join(', ')} on ${flow[side]}`]
  })
  return places.length === 0 ? [] : [`    writes ${places.join('; ')}`]
}

function describeSelection(selection: NameSelection & Pick<TopicSelection, 'partitionRange'>): string {
  const range = selection.partitionRange
  const partitions = range === undefined ? '' : ` partitions ${range.from}-${range.to}`
  if (selection.kind === 'name') return selection.name + partitions
  const exclude = selection.exclude === undefined ? '' : ` without /${selection.exclude}/`
  return `/${selection.match}/${exclude}${partitions}`
}
