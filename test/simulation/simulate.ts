/**
 * Runs the product against simulated clusters, a simulated network and a simulated clock, with faults, and judges
 * what reached the target. `npm run simulate -- --help` says how.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { brokenVariants } from './world/broken-variants.ts'
import type { Strictness } from './world/copy-checker.ts'
import { isWorkload, type Plan, type PlannedEvent } from './world/plan.ts'
import type { Outcome, RunOptions } from './world/run-plan.ts'
import { WorkerPool } from './world/worker-pool.ts'

const help = `npm run simulate -- [options]

  --seed N          the first seed; default: one by chance, printed
  --runs N          how many seeds from there on; default 1, with neither seed nor hours 200
  --seeds A..B      these seeds
  --hours H         simulated hours of each seed; default: a quarter of a minute, dense with faults
  --faults N        planned faults of each seed; default 28 to 44, or one in two seconds of --hours
  --workers N       default: one for each core
  --variant NAME    a deliberately broken variant, or "all"; ends well when it is found (--help lists them)
  --at-least-once   allows repetitions
  --replay FILE     a plan as a failing run wrote it
  --trace           prints what happened, line by line (with one seed or --replay)
  --json            prints the result as JSON

Variants:
${brokenVariants.map(({ name, story, seedsMax }) => `  ${name.padEnd(28)} ${story} (${seedsMax === 0 ? 'its own plan' : `${seedsMax} seeds`})`).join('\n')}
`

const say = (text: string): void => void process.stdout.write(`${text}\n`)

interface Settings {
  readonly seeds: readonly number[]
  readonly hours: number | undefined
  readonly faults: number | undefined
  readonly workers: number
  readonly variant: string | undefined
  readonly run: RunOptions
  readonly replay: string | undefined
  readonly json: boolean
}

function settingsOf(args: readonly string[]): Settings | undefined {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      runs: { type: 'string' },
      seeds: { type: 'string' },
      hours: { type: 'string' },
      faults: { type: 'string' },
      workers: { type: 'string' },
      variant: { type: 'string' },
      'at-least-once': { type: 'boolean', default: false },
      replay: { type: 'string' },
      trace: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return undefined
  const strictness: Strictness = values['at-least-once'] ? 'at-least-once' : 'exactly-once'
  const first = numberOf('seed', values.seed) ?? 1 + Math.floor(Math.random() * 1_000_000)
  const some = values.seed === undefined && values.hours === undefined ? 200 : 1
  return {
    seeds: range(values.seeds) ?? consecutive(first, numberOf('runs', values.runs) ?? some),
    hours: numberOf('hours', values.hours),
    faults: numberOf('faults', values.faults),
    workers: numberOf('workers', values.workers) ?? availableParallelism(),
    variant: values.variant,
    run: { strictness, trace: values.trace },
    replay: values.replay,
    json: values.json,
  }
}

function numberOf(name: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  const value = Number(text)
  if (!Number.isFinite(value) || value < 0) throw new Error(`--${name} takes a number, not ${text}`)
  return value
}

const consecutive = (first: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, index) => first + index)

function range(text: string | undefined): readonly number[] | undefined {
  if (text === undefined) return undefined
  const [, from, to] = /^(\d+)\.\.(\d+)$/.exec(text) ?? []
  if (from === undefined || to === undefined) throw new Error(`--seeds takes A..B, not ${text}`)
  return consecutive(Number(from), Number(to) - Number(from) + 1)
}

/** What all seeds together came to. */
interface Sum {
  readonly seeds: number
  readonly firstSeed: number | undefined
  readonly lastSeed: number | undefined
  readonly faults: number
  readonly records: number
  readonly stoppedPartitions: number
  readonly translations: number
  readonly groupCommits: number
  readonly simulatedHours: number
  readonly cpuSeconds: number
  readonly faultsPerCpuSecond: number
  readonly digest: string
  readonly failed: readonly { readonly seed: number; readonly violation: Outcome['violation'] }[]
}

async function simulate(
  settings: Settings,
  pool: WorkerPool,
): Promise<{ sum: Sum; failing: Plan | undefined }> {
  const outcomes = new Map<number, Outcome & { plan: Plan }>()
  const before = process.cpuUsage()
  const { seeds, hours, faults, run, variant } = settings
  const plan = { ...(hours === undefined ? {} : { hours }), ...(faults === undefined ? {} : { faults }) }
  const jobs = seeds.map((seed) => ({ kind: 'seed' as const, seed, plan, run }))
  const isBroken = (): boolean => [...outcomes.values()].some(({ violation }) => violation !== undefined)
  let broken = false
  await pool.each(
    jobs,
    (outcome, { seed }) => {
      outcomes.set(seed, outcome)
      broken ||= outcome.violation !== undefined
      if (run.trace) say(outcome.trace.join(''))
      if (!settings.json && outcomes.size % 1000 === 0) say(`${outcomes.size} seeds`)
    },
    () => variant !== undefined && broken && isBroken(),
  )
  const used = process.cpuUsage(before)
  return summed(outcomes, (used.user + used.system) / 1e6)
}

function summed(
  outcomes: ReadonlyMap<number, Outcome & { plan: Plan }>,
  cpuSeconds: number,
): { sum: Sum; failing: Plan | undefined } {
  const ordered = [...outcomes].sort(([a], [b]) => a - b)
  const digest = createHash('sha256')
  const sum = {
    faults: 0,
    records: 0,
    stoppedPartitions: 0,
    translations: 0,
    groupCommits: 0,
    simulatedHours: 0,
  }
  for (const [, outcome] of ordered) {
    digest.update(outcome.digest)
    sum.faults += outcome.faults
    sum.records += outcome.records
    sum.stoppedPartitions += outcome.stopped
    sum.translations += outcome.translations
    sum.groupCommits += outcome.groupCommits
    sum.simulatedHours += outcome.simulatedMs / 3_600_000
  }
  const failed = ordered.filter(([, { violation }]) => violation !== undefined)
  return {
    sum: {
      seeds: ordered.length,
      firstSeed: ordered.at(0)?.[0],
      lastSeed: ordered.at(-1)?.[0],
      ...sum,
      cpuSeconds,
      faultsPerCpuSecond: sum.faults / cpuSeconds,
      digest: digest.digest('hex').slice(0, 16),
      failed: failed.map(([seed, { violation }]) => ({ seed, violation })),
    },
    failing: failed[0]?.[1].plan,
  }
}

function tell(sum: Sum): void {
  say(
    `${sum.seeds} seeds (${sum.firstSeed} to ${sum.lastSeed}), ${sum.simulatedHours.toFixed(1)} simulated hours, ` +
      `${sum.faults} faults struck (${(sum.faults / sum.seeds).toFixed(1)} a seed), ${sum.records} records`,
  )
  say(
    `${sum.cpuSeconds.toFixed(1)} CPU-seconds, ${sum.faultsPerCpuSecond.toFixed(0)} faults per CPU-second, digest ${sum.digest}`,
  )
  say(
    `offset maps were asked about ${sum.translations} positions, ${sum.groupCommits} commits were made for groups`,
  )
  if (sum.stoppedPartitions > 0) {
    say(`${sum.stoppedPartitions} partitions stopped with a reason, where a fault left them no other way`)
  }
  for (const { seed, violation } of sum.failed.slice(0, 20)) say(`seed ${seed}: ${violation?.detail}`)
  say(sum.failed.length === 0 ? 'Every promise held.' : `${sum.failed.length} seeds broke a promise.`)
}

const eventText = ({ atMs, ...event }: PlannedEvent): string =>
  `  ${String(atMs).padStart(8)} ms  ${isWorkload({ atMs, ...event }) ? '       ' : 'fault  '}${JSON.stringify(event)}`

/** Makes a failing plan small, prints it and writes it down. */
async function explain(failing: Plan, settings: Settings, pool: WorkerPool): Promise<void> {
  const run = { strictness: settings.run.strictness }
  const { plan, outcome, runs } = await pool.ask({ kind: 'shrink', plan: failing, run })
  const folder = join(import.meta.dirname, '..', '..', '.causeway', 'simulation')
  mkdirSync(folder, { recursive: true })
  const file = join(
    folder,
    `seed-${plan.seed}${settings.variant === undefined ? '' : `-${settings.variant}`}.json`,
  )
  writeFileSync(file, `${JSON.stringify(plan, undefined, 2)}\n`)
  say(`\nSeed ${plan.seed} needs ${plan.events.length} of ${failing.events.length} events (${runs} runs):`)
  say(`  setup ${JSON.stringify(plan.setup)}`)
  for (const event of plan.events) say(eventText(event))
  say(`  ${outcome.violation?.detail}`)
  const variant = settings.variant === undefined ? '' : ` --variant ${settings.variant}`
  const strictness = settings.run.strictness === 'exactly-once' ? '' : ' --at-least-once'
  say(`Replay:  npm run simulate -- --replay ${file}${variant}${strictness} --trace`)
}

async function replay(file: string, settings: Settings, pool: WorkerPool): Promise<boolean> {
  const plan = JSON.parse(readFileSync(file, 'utf8')) as Plan
  const outcome = await pool.ask({ kind: 'plan', plan, run: settings.run })
  if (settings.run.trace) say(outcome.trace.join(''))
  say(`${outcome.faults} faults struck, digest ${outcome.digest}`)
  say(outcome.violation?.detail ?? 'Every promise held.')
  return outcome.violation === undefined
}

/** Whether each variant is found within its number of seeds. */
async function findVariants(settings: Settings): Promise<boolean> {
  const wanted = brokenVariants.filter(({ name }) => settings.variant === 'all' || name === settings.variant)
  if (wanted.length === 0) throw new Error(`no variant ${settings.variant}: --help lists them`)
  let allFound = true
  for (const { name, seedsMax, foundBy } of wanted) {
    const pool = new WorkerPool(settings.workers, { variant: name })
    if (typeof foundBy !== 'number') {
      const { violation } = await pool.ask({ kind: 'plan', plan: foundBy, run: settings.run })
      say(`${name}: ${violation === undefined ? 'NOT FOUND by its plan' : `its plan, ${violation.detail}`}`)
      allFound &&= violation !== undefined
      await pool.close()
      continue
    }
    const own = { ...settings, variant: name, seeds: consecutive(1, seedsMax) }
    const { sum, failing } = await simulate(own, pool)
    const first = sum.failed[0]
    say(
      `${name}: ${first === undefined ? `NOT FOUND in ${seedsMax} seeds` : `seed ${first.seed}, ${first.violation?.detail}`}`,
    )
    allFound &&= first !== undefined
    if (failing !== undefined && settings.variant !== 'all') await explain(failing, own, pool)
    await pool.close()
  }
  return allFound
}

async function main(): Promise<boolean> {
  const settings = settingsOf(process.argv.slice(2))
  if (settings === undefined) {
    say(help)
    return true
  }
  if (settings.variant !== undefined && settings.replay === undefined) return findVariants(settings)
  const pool = new WorkerPool(Math.min(settings.workers, settings.seeds.length), {
    variant: settings.variant,
  })
  try {
    if (settings.replay !== undefined) return await replay(settings.replay, settings, pool)
    if (!settings.json)
      say(`seeds ${settings.seeds[0]} to ${settings.seeds.at(-1)}, ${settings.run.strictness}`)
    const { sum, failing } = await simulate(settings, pool)
    if (settings.json) say(JSON.stringify(sum, undefined, 2))
    else tell(sum)
    if (failing !== undefined) await explain(failing, settings, pool)
    return failing === undefined
  } finally {
    await pool.close()
  }
}

process.exitCode = (await main()) ? 0 : 1
