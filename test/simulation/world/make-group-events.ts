import type { Fault } from '../faults.ts'
import type { SeededRandom } from '../seeded-random.ts'
import type { PlannedEvent, PlannedFault, Setup, Workload } from './plan.ts'
import type { Moment } from './simulated-process.ts'

type Placed<K extends Workload['kind']> = DistributiveOmit<Extract<Workload, { readonly kind: K }>, 'pick'>
type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never

/** What groups do, and what strikes those who follow them. */
export function groupEvents(
  random: SeededRandom,
  groups: number,
  { replicas }: Pick<Setup, 'replicas'>,
  endMs: number,
): readonly PlannedEvent[] {
  const shorts = Math.ceil(endMs / 15_000)
  const make = (count: number, one: () => Workload | PlannedFault): PlannedEvent[] =>
    Array.from({ length: count * shorts }, () => ({ atMs: random.between(0, endMs), ...one() }))
  // Most of it happens in one place: what meets nowhere goes wrong nowhere.
  const hot = random.between(0, 99)
  const place = (): number => (random.chance(0.7) ? hot : random.between(0, 99))
  const hasOwn = groups > 1 && random.chance(0.5)
  return [
    ...make(random.between(8, 24), () => ({ ...commit(random, groups), pick: place() })),
    ...(hasOwn ? make(random.between(1, 2), () => ({ ...onTarget(random, groups), pick: place() })) : []),
    ...make(random.between(2, 6), () => strike(random, replicas)),
  ]
}

const commit = (random: SeededRandom, groups: number): Placed<'commit'> => ({
  kind: 'commit',
  group: random.between(0, groups - 1),
  to: random.pick(['on', 'on', 'on', 'on', 'on', 'on', 'anywhere', 'anywhere', 'nowhere']),
  part: random.pick([0, 1, random.next(), random.next()]),
  metadata: random.chance(0.2) ? `note ${random.between(0, 9)}` : '',
})

/** Never of the first group: that one is followed to the end. */
function onTarget(random: SeededRandom, groups: number): Placed<'join-on-target' | 'commit-on-target'> {
  const where = { group: random.between(1, groups - 1), part: random.next() }
  return random.chance(0.3)
    ? { kind: 'commit-on-target', ...where }
    : { kind: 'join-on-target', ...where, forMs: random.pick([10, 500, 4000, 30_000]) }
}

function strike(random: SeededRandom, replicas: number): PlannedFault {
  const dice = random.next()
  if (dice < 0.5) {
    const request = random.pick([
      'commit-group-offsets',
      'commit-group-offsets',
      'describe-groups',
      'group-offsets',
    ])
    return { kind: 'request', cluster: 'target', request, fault: fault(random) }
  }
  const replica = random.between(0, replicas - 1)
  const at = {
    cluster: 'target',
    request: random.pick(['commitGroupOffsets', 'commitGroupOffsets', 'describeGroups', 'groupOffsets']),
    moment: random.pick<Moment>(['before-send', 'after-send', 'before-answer', 'after-answer']),
    nth: random.pick([1, 1, 2, 3]),
  } as const
  if (dice < 0.8) return { kind: 'crash', replica, at, restartAfterMs: random.pick([0, 10, 2000]) }
  const successorAfterMs = random.pick([undefined, 0, 500])
  return { kind: 'pause', replica, at, forMs: random.pick([300, 5000, 12_000]), successorAfterMs }
}

const fault = (random: SeededRandom): Fault =>
  random.pick<Fault>([
    { lose: 'request' },
    { lose: 'answer' },
    { duplicate: true },
    { answerDelayMs: random.between(10, 3000) },
    { requestDelayMs: random.between(10, 6000), arrivesAnyway: true },
    { requestDelayMs: random.between(10, 2000), arrivesAnyway: true, lose: 'answer' },
  ])
