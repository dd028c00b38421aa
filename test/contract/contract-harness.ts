import assert from 'node:assert/strict'
import type { Clock } from '../../replicator/clock/clock.ts'
import type {
  BrokerChannel,
  Cluster,
  FetchedPartition,
  FetchPartition,
  FetchRequest,
  NewTopic,
  ProduceBatch,
  ProduceResult,
  TopicMetadata,
  TopicPartition,
} from '../../replicator/kafka/cluster.ts'
import { isRetriable } from '../../replicator/kafka/errors.ts'
import { baseOffset, batchBytes } from '../../replicator/records/batch-header.ts'
import { lengthPrefixBytes } from '../../replicator/records/batch-layout.ts'
import { type BatchFields, buildBatch, recordsOf } from '../simulation/record-batches.ts'

/** A cluster to judge, and what the port does not offer but the suite needs done to it. */
export interface ContractHarness {
  readonly cluster: Cluster
  readonly clock: Clock
  /** Another client of the same cluster; the caller closes it. */
  connect(): Promise<Cluster>
  /** Runs one test; a simulation moves its clock meanwhile. */
  run<T>(work: () => Promise<T>): Promise<T>
  deleteTopic(name: string): Promise<void>
  /** Raises the log start offset. */
  deleteRecords(at: TopicPartition, before: bigint): Promise<void>
  /** A transactional producer of another kind than ours. Its first append begins the transaction. */
  openTransaction(): Promise<ContractTransaction>
  /** A name that no topic of the cluster has had. */
  newName(): string
  close(): Promise<void>
}

export interface ContractTransaction {
  readonly transactionalId: string
  /** Appends one batch of `count` records. */
  append(at: TopicPartition, count: number): Promise<void>
  /** TxnOffsetCommit, without metadata: what the group gets when the transaction commits. */
  commitOffset(group: string, at: TopicPartition, offset: bigint): Promise<void>
  /** Resolves when the request was answered; the markers may follow later. */
  end(how: 'commit' | 'abort'): Promise<void>
}

/** Declares one test of the suite. */
export type Check = (title: string, body: (harness: ContractHarness) => Promise<void>) => void

/** Creates a topic and waits until all its partitions answer. */
export async function makeTopic(
  harness: ContractHarness,
  options: Partial<Omit<NewTopic, 'configs'>> & { readonly configs?: Readonly<Record<string, string>> } = {},
): Promise<TopicMetadata> {
  const { cluster } = harness
  const name = options.name ?? harness.newName()
  const { partitions = 1, replicationFactor = 1 } = options
  const configs = new Map(Object.entries(options.configs ?? {}))
  const created = await cluster.createTopics([{ name, partitions, replicationFactor, configs }])
  const outcome = created.get(name)
  assert(outcome?.ok, `creating ${name} succeeds`)
  return usableTopic(harness, name, partitions)
}

/** Waits until the topic has this many partitions and all of them answer. */
export async function usableTopic(
  harness: ContractHarness,
  name: string,
  partitions: number,
): Promise<TopicMetadata> {
  const { cluster } = harness
  return eventually(harness, async () => {
    const found = (await cluster.describeTopics([name])).get(name)
    if (found?.kind !== 'found' || found.topic.partitions.length !== partitions) return undefined
    const queries = found.topic.partitions.map(({ partition }) => ({
      topic: name,
      partition,
      at: 'latest' as const,
    }))
    const offsets = await cluster.listOffsets(queries)
    return offsets.every(({ result }) => result.ok) ? found.topic : undefined
  })
}

/** Asks again until there is an answer. @throws Error after 20 s */
export async function eventually<T>(
  { clock }: Pick<ContractHarness, 'clock'>,
  ask: () => Promise<T | undefined>,
): Promise<T> {
  const deadlineMs = clock.monotonicMs() + 20_000
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (clock.monotonicMs() > deadlineMs) throw new Error(`still not so after 20 s: ${ask}`)
    await clock.sleep(20)
  }
}

/** Asks again while a request is refused for a reason that passes: not every implementation waits it out by itself. */
export async function patiently<T>(
  harness: Pick<ContractHarness, 'clock'>,
  ask: () => Promise<T>,
): Promise<T> {
  const answer = await eventually(harness, async () => {
    try {
      return { value: await ask() }
    } catch (error) {
      if (isRetriable(error)) return undefined
      throw error
    }
  })
  return answer.value
}

/** Opens a channel to the partition's leader, for as long as `work` runs. */
export async function withChannel<T>(
  harness: ContractHarness,
  topic: TopicMetadata,
  work: (channel: BrokerChannel) => Promise<T>,
): Promise<T> {
  const leader = topic.partitions[0]?.leader
  assert(leader !== undefined, 'the partition has a leader')
  const channel = await harness.cluster.openChannel(leader)
  try {
    return await work(channel)
  } finally {
    channel.destroy()
  }
}

/** A batch of `count` small records stamped now. */
export function batchOf(harness: ContractHarness, count: number, fields: BatchFields = {}): Buffer {
  const pairs = Array.from({ length: count }, (_, i): [string, string] => [`key ${i}`, `value ${i}`])
  return buildBatch(recordsOf(pairs, harness.clock.wallMs()), fields)
}

/** Produces one batch alone. */
export async function produceOne(
  channel: BrokerChannel,
  batch: ProduceBatch,
): Promise<ProduceResult['result']> {
  const { results } = await channel.produce({ batches: [batch], timeoutMs: 10_000 })
  assert.equal(results.length, 1)
  return (results[0] as ProduceResult).result
}

/** Produces batches one after the other to partition 0; all must be accepted. */
export async function produceAll(
  channel: BrokerChannel,
  topic: string,
  batches: readonly Buffer[],
): Promise<void> {
  for (const batch of batches) {
    const result = await produceOne(channel, { topic, partition: 0, batch })
    assert(result.ok, `a batch was refused: ${result.ok ? '' : result.error.message}`)
  }
}

export type FetchLimits = Partial<Omit<FetchRequest, 'partitions'>>

export const patient: FetchLimits = { waitMaxMs: 10_000, bytesMin: 1 }

/** Fetches and copies what came, so that nothing needs releasing. */
export async function fetchAll(
  channel: BrokerChannel,
  partitions: readonly FetchPartition[],
  limits: FetchLimits = {},
): Promise<readonly FetchedPartition[]> {
  const { frame, partitions: fetched } = await channel.fetch({
    partitions,
    waitMaxMs: limits.waitMaxMs ?? 0,
    bytesMin: limits.bytesMin ?? 1,
    bytesMax: limits.bytesMax ?? 1 << 20,
    isolation: limits.isolation ?? 'read_uncommitted',
  })
  const copies = fetched.map((one) => ({ ...one, records: Buffer.from(one.records) }))
  frame.release()
  return copies
}

export async function fetchOne(
  channel: BrokerChannel,
  partition: FetchPartition,
  limits: FetchLimits = {},
): Promise<FetchedPartition> {
  const [fetched] = await fetchAll(channel, [partition], limits)
  assert(fetched !== undefined, 'the partition is answered')
  return fetched
}

export const partitionOf = (
  topic: TopicMetadata,
  offset: bigint,
  more: Partial<FetchPartition> = {},
): FetchPartition => ({
  topic: topic.name,
  partition: 0,
  topicId: topic.id,
  offset,
  leaderEpoch: undefined,
  bytesMax: 1 << 20,
  ...more,
})

/** The whole batches in fetched bytes; a cut one at the end is left out. */
export function wholeBatches(records: Buffer): Buffer[] {
  const batches: Buffer[] = []
  for (let at = 0; at + lengthPrefixBytes <= records.length; ) {
    const end = at + batchBytes(records, at)
    if (end > records.length) break
    batches.push(records.subarray(at, end))
    at = end
  }
  return batches
}

export const baseOffsets = (records: Buffer): bigint[] =>
  wholeBatches(records).map((batch) => baseOffset(batch, 0))

/** The protocol's code of a refusal, 0 of a success. */
export const codeOf = (result: { ok: true } | { ok: false; error: { code: number | undefined } }) =>
  result.ok ? 0 : result.error.code
