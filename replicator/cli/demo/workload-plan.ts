/** How a producer compresses a topic's batches. */
export type DemoCompression = 'none' | 'gzip' | 'lz4'

/** A topic of the order workload, and how it is written. */
export interface PlannedTopic {
  readonly name: string
  readonly partitions: number
  readonly compression: DemoCompression
  /** Set on the source topic; the copy gets them too. */
  readonly configs: Readonly<Record<string, string>>
  /** Written inside transactions, together with the other transactional topics. */
  readonly transactional: boolean
  /** Where in the workload the topic comes into being, from 0 (before it) to 1. */
  readonly appearsAt: number
  /** Records to write, those of aborted transactions included. */
  readonly records: number
}

/** What the demo writes, and how long it takes over it. */
export interface WorkloadPlan {
  readonly topics: readonly PlannedTopic[]
  readonly records: number
  readonly transactions: number
  readonly durationMs: number
}

const recordsPerSecond = 5_000
const durationMsMax = 12_000
/** So that the smallest workload still has aborted transactions, and the largest is not slowed down by theirs. */
const transactionsMin = 10
const transactionsMax = 200
const recordsPerTransaction = 40

/** Every fifth transaction is given up, as if the card had been refused. */
export const isAborted = (transaction: number): boolean => transaction % 5 === 3

const shares = [
  { name: 'orders.placed', share: 0.5, partitions: 6, compression: 'lz4' },
  { name: 'orders.shipped', share: 0.2, partitions: 4, compression: 'gzip' },
  { name: 'customers', share: 0.1, partitions: 2, configs: { 'cleanup.policy': 'compact' } },
  { name: 'payments.charged', share: 0.075, partitions: 3, transactional: true },
  { name: 'payments.ledger', share: 0.075, partitions: 1, transactional: true },
  { name: 'orders.returned', share: 0.05, partitions: 2, appearsAt: 0.4 },
] as const satisfies readonly (Pick<PlannedTopic, 'name' | 'partitions'> &
  Partial<PlannedTopic> & { readonly share: number })[]

/** Shares `records` out among the demo's topics; the first topic takes what does not divide. */
export function planWorkload(records: number): WorkloadPlan {
  const topics = shares.map(({ share, ...topic }) => ({
    compression: 'none' as const,
    configs: {},
    transactional: false,
    appearsAt: 0,
    ...topic,
    records: Math.floor(records * share),
  }))
  const left = records - topics.reduce((sum, topic) => sum + topic.records, 0)
  const transactional = topics
    .filter((topic) => topic.transactional)
    .reduce((sum, topic) => sum + topic.records, 0)
  const wanted = Math.round(transactional / recordsPerTransaction)
  return {
    topics: topics.map((topic, index) => (index === 0 ? { ...topic, records: topic.records + left } : topic)),
    records,
    transactions: Math.min(transactionsMax, Math.max(transactionsMin, wanted)),
    durationMs: Math.min(durationMsMax, (records / recordsPerSecond) * 1000),
  }
}

/** Which of `total` records go into piece `index` of `pieces`; the pieces differ by one at most. */
export function pieceOf(total: number, pieces: number, index: number): { from: number; until: number } {
  return { from: Math.floor((total * index) / pieces), until: Math.floor((total * (index + 1)) / pieces) }
}
