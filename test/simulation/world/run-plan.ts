import type { TopicPartition } from '../../../replicator/kafka/cluster.ts'
import type { Strictness } from './copy-checker.ts'
import { sleep, strikeWorld } from './misfortune.ts'
import type { Plan, PlannedEvent } from './plan.ts'
import type { Replica } from './replica.ts'
import { Violation } from './violation.ts'
import { World } from './world.ts'

export interface RunOptions {
  readonly strictness: Strictness
  /** Keeps every line of the trace. */
  readonly trace?: boolean
}

export interface Outcome {
  /** Faults that struck something. */
  readonly faults: number
  readonly simulatedMs: number
  /** The same for the same plan, always. */
  readonly digest: string
  readonly records: number
  /** Partitions that stopped, with a reason, where a fault left them no other way. */
  readonly stopped: number
  /** Positions that offset maps were asked about. */
  readonly translations: number
  /** Commits of the flow's for groups. */
  readonly groupCommits: number
  readonly violation: { readonly check: string; readonly detail: string } | undefined
  readonly trace: readonly string[]
}

/** After the last fault everything must be copied within this much simulated time, in milliseconds. */
const RECOVERY_MS = 240_000

/** Longer than any request may be on its way, in milliseconds. */
const LATE_MS = 7000

/** Runs a plan to its end, or to the first broken promise. */
export async function runPlan(plan: Plan, options: RunOptions): Promise<Outcome> {
  const world = new World(plan, options.strictness, options.trace ?? false)
  let violation: Outcome['violation']
  try {
    await storm(world)
    await recover(world)
    await startOnceMore(world)
  } catch (error) {
    violation =
      error instanceof Violation
        ? { check: error.check, detail: error.message }
        : { check: 'broken', detail: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
  world.end()
  return {
    faults: world.hits,
    simulatedMs: world.clock.monotonicMs(),
    digest: world.trace.digest(),
    records: [...world.watch.copies.values()].reduce((sum, { ledger }) => sum + ledger.records.length, 0),
    stopped: world.stopped.size,
    translations: world.parts.maps?.asked ?? 0,
    groupCommits: world.parts.groups?.commits ?? 0,
    violation,
    trace: world.trace.lines,
  }
}

async function storm(world: World): Promise<void> {
  for (const slot of world.slots) world.start(slot)
  let sleptMs = 0
  for (const event of world.plan.events) {
    const waitMs = sleptMs + event.atMs - world.clock.monotonicMs()
    if (waitMs > 0) await world.pass(waitMs)
    if (event.kind === 'sleep') {
      const fromMs = world.clock.monotonicMs()
      await sleep(world, event)
      sleptMs += world.clock.monotonicMs() - fromMs
    } else act(world, event)
  }
  world.check()
}

function act(world: World, event: PlannedEvent): void {
  world.trace.note(`event ${JSON.stringify(event)}`)
  switch (event.kind) {
    case 'write':
    case 'write-in-transaction': {
      const at = world.partitions[event.pick % world.partitions.length]
      if (at !== undefined) world.applications.act(event, at)
      break
    }
    case 'commit':
    case 'join-on-target':
    case 'commit-on-target': {
      const at = world.partitions[event.pick % world.partitions.length]
      if (at !== undefined) useGroup(world, event, at)
      break
    }
    case 'end-transaction':
      world.applications.end(event.writer, event.end)
      break
    default:
      strikeWorld(world, event)
  }
}

function useGroup(
  { consumers }: World,
  event: Extract<PlannedEvent, { kind: 'commit' | 'join-on-target' | 'commit-on-target' }>,
  at: TopicPartition,
): void {
  if (event.kind === 'commit') consumers.commit(event, at)
  else if (event.kind === 'commit-on-target') consumers.commitOnTarget(event, at)
  else void consumers.joinOnTarget(event, at)
}

/** Faults stop; what they left behind is put right; everything must arrive or have stopped with a reason. */
async function recover(world: World): Promise<void> {
  world.heal()
  world.applications.finish()
  await allRun(world)
  // A commit is not fenced: one that was sent before must have arrived before anybody says where groups stand.
  if (world.parts.groups !== undefined) await world.pass(LATE_MS)
  await settled(world)
}

async function settled(world: World): Promise<void> {
  const deadlineMs = world.clock.monotonicMs() + RECOVERY_MS
  for (;;) {
    const waiting = unfinished(world) ?? world.unfinished
    if (waiting === undefined) break
    if (world.clock.monotonicMs() >= deadlineMs) throw new Violation('liveness', waiting)
    await world.pass(250)
  }
  checkStops(world)
}

/** Zombies get their time and end; every slot has a process at work. */
async function allRun(world: World): Promise<void> {
  for (const zombie of world.zombies) zombie.process.continue()
  for (const { replica } of world.slots) replica?.process.continue()
  while (world.zombies.size > 0) {
    await world.pass(1000)
    for (const zombie of world.zombies) if (zombie.process.state === 'dead') world.zombies.delete(zombie)
  }
  for (const slot of world.slots) {
    while (slot.replica === undefined) await world.pass(1000)
    slot.replica.process.disarm()
  }
}

/** A partition that still lacks records and did not stop for a good reason. */
function unfinished(world: World): string | undefined {
  for (const [place, copy] of world.watch.copies) {
    const { missing } = copy
    if (missing === undefined || isJustlyStopped(world, place)) continue
    const stop = world.stopped.get(place)
    if (stop !== undefined) throw new Violation('stopped', `${place} stopped without need: ${stop}`)
    return `${place}: source offset ${missing.offset} is still not copied${missing.gone ? `, ${missing.gone}` : ''}`
  }
  return undefined
}

const isJustlyStopped = (world: World, place: string): boolean =>
  world.mayStop.has(place) && world.stopped.has(place)

function checkStops(world: World): void {
  for (const [place, reason] of world.stopped) {
    if (!world.mayStop.has(place)) throw new Violation('stopped', `${place} stopped without need: ${reason}`)
  }
}

/** What is complete stays complete: processes end properly, and those after them add nothing. */
async function startOnceMore(world: World): Promise<void> {
  await drainAll(world)
  for (const slot of world.slots) world.start(slot)
  await settled(world)
  await world.pass(2000)
  checkStops(world)
  await drainAll(world)
  world.parts.judgeWritten()
}

async function drainAll(world: World): Promise<void> {
  const replicas = world.slots.flatMap(({ replica }): Replica[] => (replica === undefined ? [] : [replica]))
  const draining = Promise.all(replicas.map((replica) => replica.drain(20_000)))
  const left = await world.clock.run(draining, 120_000)
  world.check()
  for (const [index, what] of left.entries()) {
    if (what !== undefined) throw new Violation('leak', `${replicas[index]?.name} ended and kept ${what}`)
  }
  for (const slot of world.slots) slot.replica = undefined
}
