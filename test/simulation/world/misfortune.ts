import { offsetsTopic } from '../../../replicator/kafka/offsets-topic-records.ts'
import type { StoredBatch } from '../partition-log.ts'
import { readRecords } from '../record-batches.ts'
import type { PlannedFault, Strike } from './plan.ts'
import type { Replica } from './replica.ts'
import type { Slot, World } from './world.ts'

type Of<K extends PlannedFault['kind']> = Extract<PlannedFault, { readonly kind: K }>

/** How long a process that was replaced while it was stopped goes on afterwards, in milliseconds. */
const ZOMBIE_MS = 5000

/** Lets a planned fault happen. It counts as soon as it strikes something. */
export function strikeWorld(world: World, fault: PlannedFault): void {
  switch (fault.kind) {
    case 'request':
      world.links.arm(fault.cluster, fault.request, fault.fault)
      break
    case 'slow-link':
      slowLink(world, fault)
      break
    case 'crash':
      crash(world, fault)
      break
    case 'pause':
      pause(world, fault)
      break
    case 'restart':
      restart(world, fault)
      break
    case 'reshard':
      reshard(world, fault)
      break
    case 'move-leader':
    case 'lose-leader':
    case 'stop-broker':
    case 'hold-watermark':
      strikeBrokers(world, fault)
      break
    case 'compact':
    case 'delete-records':
      strikeLogs(world, fault)
      break
    case 'sleep':
      throw new Error('to sleep takes time')
    case 'quiet':
      quiet(world)
      break
    case 'forget':
      forget(world, fault)
      break
    case 'jump-wall':
      world.clock.jumpWall(fault.ms)
      world.hit()
      break
    case 'new-topic':
      if (world.createTopic(fault.topic)) world.hit()
      break
    case 'grow-topic':
      growTopic(world, fault)
      break
    case 're-create-topic':
      recreateTopic(world, fault)
      break
  }
}

const pickOf = <T>(items: readonly T[], pick: number): T | undefined => items[pick % items.length]

/** Strikes a slot's process now, or lays a trap for it. */
function strikeProcess(world: World, slot: Slot, at: Strike, strike: () => void): void {
  const { replica } = slot
  if (replica === undefined) return
  const spring = (): void => {
    if (slot.replica !== replica || replica.process.state !== 'running') return
    world.hit()
    strike()
  }
  if (at === 'now') spring()
  else replica.process.arm({ ...at, spring })
}

function crash(world: World, { replica: index, at, restartAfterMs }: Of<'crash'>): void {
  const slot = world.slots[index]
  if (slot === undefined) return
  strikeProcess(world, slot, at, () => {
    world.trace.note(`${slot.replica?.name} is killed`)
    slot.replica?.kill()
    slot.replica = undefined
    world.clock.after(restartAfterMs, () => {
      if (slot.replica === undefined) world.start(slot)
    })
  })
}

function pause(world: World, { replica: index, at, forMs, successorAfterMs }: Of<'pause'>): void {
  const slot = world.slots[index]
  if (slot === undefined) return
  strikeProcess(world, slot, at, () => {
    const { replica } = slot
    if (replica === undefined) return
    world.trace.note(`${replica.name} is stopped for ${forMs} ms`)
    replica.process.stop()
    if (successorAfterMs !== undefined && world.mayRunBeside) {
      slot.replica = undefined
      world.clock.after(successorAfterMs, () => {
        if (slot.replica === undefined) world.start(slot)
      })
      becomeZombie(world, replica, forMs)
      return
    }
    world.clock.after(forMs, () => {
      if (world.isAsleep) return
      world.trace.note(`${replica.name} goes on`)
      replica.process.continue()
    })
  })
}

/** A stopped process, replaced by now, goes on after a while beside its successor, and ends some time later. */
function becomeZombie(world: World, replica: Replica, wakeAfterMs: number): void {
  world.zombies.add(replica)
  world.clock.after(wakeAfterMs, () => {
    if (world.isAsleep) return
    world.trace.note(`${replica.name} goes on`)
    replica.process.continue()
    world.clock.after(ZOMBIE_MS, () => {
      replica.kill()
      world.zombies.delete(replica)
    })
  })
}

function restart(world: World, { replica: index, drainMs }: Of<'restart'>): void {
  const slot = world.slots[index]
  if (slot?.replica === undefined || slot.replica.process.state !== 'running') return
  world.hit()
  drainAndReplace(world, slot, slot.replica, drainMs)
}

function drainAndReplace(world: World, slot: Slot, replica: Replica, drainMs: number): void {
  world.trace.note(`${replica.name} drains`)
  slot.replica = undefined
  const next = (): void => {
    replica.kill()
    if (slot.replica === undefined) world.start(slot)
  }
  // Whoever does not end in time is killed, as process supervisors do.
  world.clock.after(drainMs + 10_000, next)
  replica.drain(drainMs).then(next, (error) => {
    replica.failure = error
  })
}

/**
 * What keeps processes with different numbers of shards apart is their group. Those that have none must have ended
 * before others start.
 */
function reshard(world: World, { shards, how, wakeAfterMs }: Of<'reshard'>): void {
  world.hit()
  world.shards = shards
  const goesOn = how === 'stop' && world.plan.setup.claims === 'group'
  if (!goesOn) {
    for (const zombie of world.zombies) zombie.kill()
    world.zombies.clear()
  }
  for (const slot of world.slots) {
    const { replica } = slot
    // Whoever is to be started soon is started with the new number.
    if (replica === undefined) continue
    if (how === 'drain' && replica.process.state === 'running') {
      drainAndReplace(world, slot, replica, 1000)
      continue
    }
    slot.replica = undefined
    if (goesOn) {
      world.trace.note(`${replica.name} is stopped for ${wakeAfterMs} ms`)
      replica.process.stop()
      becomeZombie(world, replica, wakeAfterMs)
    } else {
      world.trace.note(`${replica.name} is killed`)
      replica.kill()
    }
    world.start(slot)
  }
}

function slowLink(world: World, { cluster, delayMs, forMs }: Of<'slow-link'>): void {
  world.hit()
  world.links.slow(cluster, delayMs)
  world.clock.after(forMs, () => world.links.slow(cluster, -delayMs))
}

function strikeBrokers(
  world: World,
  fault: Of<'move-leader'> | Of<'lose-leader'> | Of<'stop-broker'> | Of<'hold-watermark'>,
): void {
  const brokers = world.brokers[fault.cluster]
  if (fault.kind === 'stop-broker') {
    const broker = pickOf(brokers.brokers, fault.pick)
    if (broker === undefined) return
    world.hit()
    brokers.stopBroker(broker)
    world.clock.after(fault.forMs, () => {
      if (!brokers.isUp(broker)) brokers.startBroker(broker)
    })
    return
  }
  const at = pickOf(world.partitionsOf(fault.cluster), fault.pick)
  if (at === undefined) return
  const partition = brokers.partition(at)
  if (fault.kind === 'move-leader') {
    const others = partition.replicas.filter((id) => brokers.isUp(id) && id !== partition.leader)
    const to = pickOf(others, fault.to)
    if (to === undefined) return
    world.hit()
    brokers.moveLeader(at, to)
  } else if (fault.kind === 'lose-leader') {
    world.hit()
    brokers.loseLeader(at)
    world.clock.after(fault.forMs, () => {
      const next = partition.replicas.find((id) => brokers.isUp(id))
      if (partition.leader === undefined && next !== undefined) brokers.moveLeader(at, next)
    })
  } else {
    world.hit()
    partition.log.holdHighWatermark(true)
    world.clock.after(fault.forMs, () => partition.log.holdHighWatermark(false))
  }
}

function strikeLogs(world: World, fault: Of<'compact'> | Of<'delete-records'>): void {
  world.watch.look()
  if (fault.kind === 'compact') compact(world, fault)
  else deleteRecords(world, fault)
}

function quiet(world: World): void {
  world.links.calm()
  for (const { replica } of world.slots) replica?.process.disarm()
}

function forget(world: World, { what }: Of<'forget'>): void {
  if (!world.isQuiet) return
  world.hit()
  world.forget(what)
}

/**
 * Takes as long as it says. What was sent before has arrived long before anything is forgotten, and whoever wakes up
 * later than its successor is a zombie.
 */
export async function sleep(
  world: World,
  { hours, wakeAfterMs, cutsConnections }: Of<'sleep'>,
): Promise<void> {
  world.hit()
  quiet(world)
  await world.sleep(hours * 3_600_000, cutsConnections)
  if (hours >= 24) world.forget(hours >= 168 ? 'both' : 'producers')
  // Those that were replaced before wake up too.
  for (const zombie of world.zombies) becomeZombie(world, zombie, wakeAfterMs ?? 0)
  const isReplaced = wakeAfterMs !== undefined && world.mayRunBeside
  for (const slot of world.slots) {
    const { replica } = slot
    if (replica === undefined) world.start(slot)
    else if (isReplaced) {
      world.zombies.add(replica)
      world.start(slot)
      world.clock.after(wakeAfterMs + ZOMBIE_MS, () => {
        replica.kill()
        world.zombies.delete(replica)
      })
    }
    if (replica === undefined) continue
    world.clock.after(wakeAfterMs ?? 0, () => {
      if (!world.isAsleep) replica.process.continue()
    })
  }
}

function compact(world: World, { cluster, pick, dropTombstones }: Of<'compact'>): void {
  const brokers = world.brokers[cluster]
  const cleanable = world
    .partitionsOf(cluster)
    .filter(({ topic }) => brokers.topics.byName(topic)?.overrides.get('cleanup.policy') === 'compact')
  const at = pickOf(cleanable, pick)
  if (at === undefined) return
  const log = brokers.log(at)
  const before = recordsIn(log.batches)
  brokers.compact(at, { dropTombstones })
  const after = recordsIn(log.batches)
  if (after.size < before.size) world.hit()
  if (cluster === 'source' && (world.isRecreated(at.topic) || isInternal(at.topic))) return
  const copy = cluster === 'source' ? world.watch.copyOf(at.topic, at.partition) : world.watch.copyIn(at)
  if (copy === undefined) return
  const progress = world.watch.progressOf(copy.place)
  const named = (cluster === 'source' ? progress?.sourceNext : progress?.targetNext) ?? 0n
  if (cluster === 'source') copy.ledger.cleaned(after, named)
  else copy.isTargetCleaned ||= after.size < before.size
  if ([...before].some((offset) => offset >= named && !after.has(offset)))
    copy.cleanedBeyondProgress.add(cluster)
  // Then only contents could tell where copying goes on; and of what the target lacks, nobody knows what it was.
  if (copy.cleanedBeyondProgress.size === 2)
    world.mayStop.set(copy.place, 'both logs were cleaned beyond what progress says')
}

function deleteRecords(world: World, { pick, reach }: Of<'delete-records'>): void {
  const at = pickOf(world.partitions, pick)
  if (at === undefined) return
  const log = world.brokers.source.log(at)
  const copy = world.watch.copyOf(at.topic, at.partition)
  const progress = world.watch.progressOf(copy.place)
  const named = progress?.sourceNext ?? 0n
  const below = { progress: named, copied: copy.copiedBelow, beyond: log.lastStable }[reach]
  const before = log.logStart
  world.brokers.source.deleteRecords(at, below)
  if (log.logStart === before) return
  world.hit()
  if (world.isRecreated(at.topic)) return
  world.trace.note(`${at.topic}/${at.partition} deleted below ${log.logStart}, progress ${named}`)
  // Until something is copied, a flow that begins at the earliest record begins at whichever is earliest then.
  const began = progress !== undefined && copy.copiedBelow > 0n
  copy.ledger.deletedBelow(log.logStart, began ? 'deleted' : 'deleted-before-start', named)
  // What progress does not name yet is counted from the source's log: without it counting may be impossible.
  if (log.logStart > named) {
    world.mayStop.set(
      `${at.topic}/${at.partition}`,
      `deleted below ${log.logStart} where progress said ${named}`,
    )
  }
}

function growTopic(world: World, { pick, by }: Of<'grow-topic'>): void {
  const { topics } = world.brokers.source
  const topic = pickOf(
    topics.all.filter(({ internal }) => !internal),
    pick,
  )
  if (topic === undefined || topic.partitions.length > 5) return
  if (topics.grow(topic.name, topic.partitions.length + by).ok) world.hit()
}

/** Only of what is copied whole: what is lost with a topic is nobody's promise. */
function recreateTopic(world: World, { pick }: Of<'re-create-topic'>): void {
  world.watch.look()
  const whole = world.brokers.source.topics.all.filter(({ name }) => world.isCopiedWhole(name))
  const topic = pickOf(whole, pick)
  if (topic === undefined) return
  world.hit()
  world.recreate(topic)
}

const isInternal = (topic: string): boolean => topic === offsetsTopic

/** The offsets of the records that are still there. */
const recordsIn = (batches: readonly StoredBatch[]): ReadonlySet<bigint> =>
  new Set(
    batches.flatMap(({ bytes, baseOffset }) =>
      readRecords(bytes).map(({ offsetDelta }) => baseOffset + BigInt(offsetDelta)),
    ),
  )
