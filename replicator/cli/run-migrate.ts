import { createInterface } from 'node:readline/promises'
import { systemRandom } from '../clock/random.ts'
import { systemClock } from '../clock/system-clock.ts'
import type { CausewayConfig } from '../config/load-config.ts'
import { KafkaError } from '../kafka/errors.ts'
import type { MirrorMaker } from '../migrate/mirror-maker.ts'
import { MigrationRefusedError } from '../migrate/refusal.ts'
import {
  type AdoptedCommit,
  adoptGroupsOf,
  type MirrorMakerNames,
  migrateFrom,
  migrateTo,
  mirrorMakerOf,
} from '../processes/migrate.ts'
import type { Flow } from '../topology/model.ts'
import { CommandFailure } from './command-failure.ts'
import { exitCode } from './exit-codes.ts'
import { adoptedLines, handedOverLines, takenLines } from './migrate-lines.ts'
import { type Output, openOutput } from './output.ts'
import { readConfig } from './read-config.ts'

/** The command line of `causeway migrate from-mm2` and `to-mm2`. */
export interface MigrateArguments {
  readonly config: string
  readonly flow?: string
  readonly offsetsTopic?: string
  readonly connector?: string
  readonly mm2Source?: string
  readonly connectGroup?: string
  readonly assumeStopped?: boolean
  readonly dryRun?: boolean
  readonly yes?: boolean
  readonly json?: boolean
}

/**
 * Takes flows over from MirrorMaker 2, or gives them back.
 * @returns the exit code
 * @throws CommandFailure when nothing of it can be done
 */
export async function runMigrate(way: 'from-mm2' | 'to-mm2', args: MigrateArguments): Promise<number> {
  const output = openOutput()
  const mayAsk = process.stdin.isTTY === true && output.interactive && args.json !== true
  if (args.dryRun !== true && args.yes !== true && !mayAsk)
    throw new CommandFailure(
      exitCode.usage,
      'there is nobody to ask: say --yes to do it, or --dry-run to only see what would be done',
    )
  const config = readConfig(args.config, output)
  const flows = flowsOf(config, args)
  const told: object[] = []
  let isWhole = true
  for (const [flow, mirrorMaker] of flows) {
    const migration = new Migration(way, config, flow, mirrorMaker, args, output)
    const partitions = await migration.run()
    isWhole &&= migration.wasAgreed && partitions.every(({ kind }) => kind !== 'refused')
    const { adopted } = migration
    told.push({
      flow: flow.id,
      dryRun: args.dryRun === true,
      partitions,
      ...(way === 'from-mm2' && { adopted }),
    })
  }
  if (args.json === true) output.json(plain({ flows: told }))
  return isWhole ? exitCode.ok : exitCode.failed
}

function flowsOf(
  config: CausewayConfig,
  { flow: id, mm2Source: alias, connector, offsetsTopic, connectGroup }: MigrateArguments,
): readonly (readonly [Flow, MirrorMaker])[] {
  const { flows } = config.topology
  const ids = flows.map((flow) => flow.id).join(', ')
  const chosen = flows.filter((flow) => id === undefined || flow.id === id)
  if (chosen.length === 0)
    throw new CommandFailure(
      exitCode.usage,
      flows.length === 0
        ? 'the topology declares no flow'
        : `--flow ${id}: no such flow; the topology has ${ids}`,
    )
  const names: MirrorMakerNames = { alias, connector, offsetsTopic, connectGroup }
  if (chosen.length > 1 && Object.values(names).some((name) => name !== undefined))
    throw new CommandFailure(
      exitCode.usage,
      `names of MirrorMaker 2's are given, and there are several flows, ${ids}: choose with --flow`,
    )
  return chosen.map((flow) => {
    const mirrorMaker = mirrorMakerOf(config, flow, names)
    if (mirrorMaker !== undefined) return [flow, mirrorMaker] as const
    throw new CommandFailure(
      exitCode.usage,
      `${flow.id}: the file does not say where its Connect cluster keeps source offsets; give the workers' offset.storage.topic with --offsets-topic, and their group.id with --connect-group`,
    )
  })
}

/** One flow's migration: shows the plan, asks if need be, carries it out. */
class Migration {
  wasAgreed = true
  /** Commits on the target that the flow goes on from. */
  adopted: readonly AdoptedCommit[] = []
  readonly #way: 'from-mm2' | 'to-mm2'
  readonly #config: CausewayConfig
  readonly #flow: Flow
  readonly #mirrorMaker: MirrorMaker
  readonly #args: MigrateArguments
  readonly #output: Output

  constructor(
    way: 'from-mm2' | 'to-mm2',
    config: CausewayConfig,
    flow: Flow,
    mirrorMaker: MirrorMaker,
    args: MigrateArguments,
    output: Output,
  ) {
    this.#way = way
    this.#config = config
    this.#flow = flow
    this.#mirrorMaker = mirrorMaker
    this.#args = args
    this.#output = output
  }

  async run(): Promise<readonly { readonly kind: string }[]> {
    const { connectGroup, source } = this.#mirrorMaker
    const { assumeStopped = false, dryRun = false } = this.#args
    if (!assumeStopped && connectGroup === undefined)
      this.#output.note(
        "the Connect cluster's group is not known (--connect-group): a MirrorMaker 2 that has nothing to copy may run unseen",
      )
    if (!assumeStopped)
      this.#output.note(
        `${this.#flow.id}: looking for some seconds whether MirrorMaker 2 of ${source} still runs`,
      )
    const request = { mirrorMaker: this.#mirrorMaker, assumeStopped }
    const options = { config: this.#config, flow: this.#flow, clock: systemClock, random: systemRandom }
    const { signal } = new AbortController()
    try {
      if (this.#way === 'from-mm2') {
        const show = (isPlan: boolean) => (partitions: Parameters<typeof takenLines>[0]) =>
          takenLines(partitions, isPlan)
        const confirm = this.#confirmation(show(true))
        const taken = await migrateFrom(options, { ...request, confirm }, signal)
        if (this.wasAgreed) this.adopted = await adoptGroupsOf(options, taken, dryRun, signal)
        this.#tell(taken, (partitions) => [...show(dryRun)(partitions), ...adoptedLines(this.adopted)])
        return taken
      }
      const confirm = this.#confirmation(handedOverLines)
      const handedOver = await migrateTo(options, { ...request, confirm }, signal)
      this.#tell(handedOver, handedOverLines)
      return handedOver
    } catch (error) {
      const isExpected = error instanceof MigrationRefusedError || error instanceof KafkaError
      if (isExpected) throw new CommandFailure(exitCode.failed, error.message, { cause: error })
      throw error
    }
  }

  /** Whether to go on from a plan. */
  #confirmation<T>(show: (planned: readonly T[]) => readonly string[]) {
    return async (planned: readonly T[]): Promise<boolean> => {
      const { dryRun, yes } = this.#args
      if (dryRun === true) return false
      if (yes === true) return true
      for (const line of [this.#flow.id, ...show(planned)]) this.#output.line(line)
      const asking = createInterface({ input: process.stdin, output: process.stderr })
      const answer = await asking.question(
        this.#way === 'from-mm2' ? 'Take these over? [y/N] ' : 'Hand these over? [y/N] ',
      )
      asking.close()
      this.wasAgreed = /^y(es)?$/i.test(answer.trim())
      return this.wasAgreed
    }
  }

  #tell<T extends { readonly kind: string }>(
    partitions: readonly T[],
    show: (partitions: readonly T[]) => readonly string[],
  ): void {
    if (this.#args.json === true) return
    const { output } = { output: this.#output }
    if (!this.wasAgreed) {
      output.line('Nothing was changed.')
      return
    }
    output.line(`${this.#flow.id}  ${this.#mirrorMaker.offsetsTopic}`)
    for (const line of show(partitions)) output.line(`  ${line}`)
    output.line(this.#args.dryRun === true ? 'Nothing was changed.' : nextStep[this.#way])
  }
}

const nextStep = {
  'from-mm2':
    'Start causeway replicate: it goes on at exactly these offsets. Do not start MirrorMaker 2 again.',
  'to-mm2':
    'Start MirrorMaker 2: it goes on at exactly these offsets. Causeway leaves them alone until migrate from-mm2.',
} as const

/** Offsets as text: JSON numbers are not exact. */
function plain(report: object): object {
  const text = JSON.stringify(report, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  return JSON.parse(text) as object
}
