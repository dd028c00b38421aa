import type { TopicPartition } from '../../../replicator/kafka/cluster.ts'
import type { SimulatedBrokers } from '../simulated-brokers.ts'
import type { GroupWatch } from './group-watch.ts'
import type { Side, Workload } from './plan.ts'

type Of<K extends Workload['kind']> = Extract<Workload, { readonly kind: K }>

/** Longest session that brokers take: members need no heartbeats for as long as a run lasts. */
const SESSION_MS = 1_800_000
/** How long a member on the target waits until it commits. */
const FIRST_COMMIT_MS = 50

export const groupName = (group: number): string => `group-${group}`

/** Reads on either side as applications would, as far as groups show it: they commit, join and leave. */
export class Consumers {
  readonly #brokers: Readonly<Record<Side, SimulatedBrokers>>
  readonly #copyOf: (topic: string) => string
  readonly #watch: GroupWatch | undefined
  readonly #joined = new Set<string>()

  constructor(
    brokers: Readonly<Record<Side, SimulatedBrokers>>,
    copyOf: (topic: string) => string,
    watch: GroupWatch | undefined,
  ) {
    this.#watch = watch
    this.#brokers = brokers
    this.#copyOf = copyOf
  }

  commit({ group: number, to, part, metadata }: Of<'commit'>, at: TopicPartition): void {
    const { offsets } = this.#brokers.source
    const group = groupName(number)
    if (to === 'nowhere') {
      const answer = offsets.delete(group, [at])
      if (answer.ok && answer.value[0] === 0) this.#watch?.removed(group, at)
      return
    }
    const { logStart, lastStable } = this.#brokers.source.log(at)
    const committed = offsets.committed(group, at)?.offset
    const from = to === 'on' && committed !== undefined && committed > logStart ? committed : logStart
    const offset = between(from, lastStable, part)
    offsets.commit(group, [{ ...at, offset, leaderEpoch: undefined, metadata }], 'application')
  }

  commitOnTarget({ group, part }: Of<'commit-on-target'>, at: TopicPartition): void {
    this.#commitOnTarget(groupName(group), at, part, 'application')
  }

  async joinOnTarget(
    { group: number, part, forMs }: Of<'join-on-target'>,
    at: TopicPartition,
  ): Promise<void> {
    const { groups, clock } = this.#brokers.target
    const group = groupName(number)
    if (this.#joined.has(group)) return
    this.#joined.add(group)
    this.#watch?.joined(group)
    const protocols = [{ name: 'range', metadata: Buffer.alloc(0) }]
    const times = { sessionTimeoutMs: SESSION_MS, rebalanceTimeoutMs: SESSION_MS }
    const who = { group, memberId: undefined, instanceId: undefined, protocolType: 'consumer' }
    const joined = await groups.join({ ...who, ...times, protocols })
    if (!joined.ok) throw new Error(`nobody could join ${group}: ${joined.code}`)
    const { memberId, generation } = joined.value
    const member = { group, memberId, instanceId: undefined, generation }
    const assignments = [{ memberId, assignment: Buffer.alloc(0) }]
    const synced = await groups.sync({ ...member, protocolType: 'consumer', protocol: 'range', assignments })
    if (!synced.ok) throw new Error(`nobody could sync with ${group}: ${synced.code}`)
    clock.after(Math.min(FIRST_COMMIT_MS, forMs), () => this.#commitOnTarget(group, at, part, 'member'))
    clock.after(forMs, () => {
      groups.leave(member)
      this.#joined.delete(group)
    })
  }

  #commitOnTarget(
    group: string,
    { topic, partition }: TopicPartition,
    part: number,
    by: 'member' | 'application',
  ) {
    const copy = { topic: this.#copyOf(topic), partition }
    const log = this.#brokers.target.topics.byName(copy.topic)?.partitions[partition]?.log
    if (log === undefined) return
    const offset = between(log.logStart, log.highWatermark, part)
    const metadata = 'of the target'
    this.#brokers.target.offsets.commit(group, [{ ...copy, offset, leaderEpoch: undefined, metadata }], by)
  }
}

const between = (from: bigint, to: bigint, part: number): bigint =>
  to <= from ? from : from + BigInt(Math.round(Number(to - from) * part))
