import assert from 'node:assert/strict'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import {
  type OffsetsTopicRecord,
  offsetsTopic,
  readOffsetsTopicRecord,
} from '../../replicator/kafka/offsets-topic-records.ts'
import { TopicLog } from '../../replicator/kafka/topic-log.ts'
import { type Check, type ContractHarness, eventually, makeTopic, patiently } from './contract-harness.ts'

/** What the records of the offsets topic say of one group, in the order in which a committed reader sees them. */
export async function toldOf(
  { cluster, clock }: Pick<ContractHarness, 'cluster' | 'clock'>,
  group: string,
): Promise<readonly OffsetsTopicRecord[]> {
  const random = { next: () => 0.5 }
  const isolation = 'read_committed'
  const log = new TopicLog({
    cluster,
    topic: offsetsTopic,
    clock,
    random,
    backoff: defaultBackoff,
    isolation,
  })
  const lookup = (await cluster.describeTopics([offsetsTopic])).get(offsetsTopic)
  assert(lookup?.kind === 'found')
  assert.equal(lookup.topic.internal, true)
  const told: OffsetsTopicRecord[] = []
  try {
    for (const { partition } of lookup.topic.partitions) {
      const { signal } = new AbortController()
      await log.read(
        partition,
        ({ key, value }) => {
          const record = readOffsetsTopicRecord(key, value)
          if (record.group === group) told.push(record)
        },
        signal,
      )
    }
  } finally {
    await log.close()
  }
  return told
}

/** The last word on each partition. */
export function lastCommits(records: readonly OffsetsTopicRecord[]) {
  const last: Record<string, readonly [offset: bigint, leaderEpoch: number | undefined, metadata: string]> =
    {}
  for (const record of records) {
    if (record.kind === 'commit-removed') delete last[`${record.topic}/${record.partition}`]
    if (record.kind !== 'commit') continue
    const { topic, partition, offset, leaderEpoch, metadata } = record
    last[`${topic}/${partition}`] = [offset, leaderEpoch, metadata]
  }
  return last
}

/** What groups commit, as whoever may read the offsets topic sees it. */
export function offsetsTopicContract(check: Check): void {
  check('commits and their deletion are records of the offsets topic', async (harness) => {
    const { cluster, clock } = harness
    const { name: topic, id } = await makeTopic(harness, { partitions: 3 })
    const group = harness.newName()
    const commit = (partition: number, offset: bigint, leaderEpoch: number | undefined, metadata: string) =>
      patiently(harness, () =>
        cluster.commitGroupOffsets(group, [{ topic, partition, offset, leaderEpoch, metadata }]),
      )
    const beforeMs = clock.wallMs()
    await commit(0, 4n, undefined, '')
    await commit(1, 2n ** 53n + 1n, 0, 'µ "ß" 𝄞')
    await commit(2, 1n, 0, '')
    await commit(0, 3n, 0, 'back')
    await cluster.deleteGroupOffsets(group, [{ topic, partition: 2 }])
    const told = await eventually(harness, async () => {
      const records = await toldOf(harness, group)
      return records.some(({ kind }) => kind === 'commit-removed') ? records : undefined
    })
    assert.deepEqual(lastCommits(told), {
      [`${topic}/0`]: [3n, 0, 'back'],
      [`${topic}/1`]: [2n ** 53n + 1n, 0, 'µ "ß" 𝄞'],
    })
    for (const record of told) {
      if (record.kind !== 'commit') continue
      assert(record.committedAtMs >= beforeMs && record.committedAtMs <= clock.wallMs())
      assert.equal(record.expiresAtMs, undefined)
      assert.equal(record.topicId, id)
    }
  })

  check('commits of a transaction are seen when it commits, and never when it aborts', async (harness) => {
    const { cluster } = harness
    const { name: topic } = await makeTopic(harness, { partitions: 2 })
    const group = harness.newName()
    const commit = (partition: number, offset: bigint) =>
      patiently(harness, () =>
        cluster.commitGroupOffsets(group, [
          { topic, partition, offset, leaderEpoch: undefined, metadata: '' },
        ]),
      )
    await commit(0, 1n)
    for (const [how, offset] of [
      ['abort', 5n],
      ['commit', 6n],
    ] as const) {
      const transaction = await harness.openTransaction()
      await transaction.commitOffset(group, { topic, partition: 0 }, offset)
      await transaction.end(how)
    }
    // Behind both transactions in the log.
    await commit(1, 9n)
    const told = await eventually(harness, async () => {
      const records = await toldOf(harness, group)
      return `${topic}/1` in lastCommits(records) ? records : undefined
    })
    const offsets = told.flatMap((record) => (record.kind === 'commit' ? [record.offset] : []))
    assert.deepEqual(offsets, [1n, 6n, 9n])
    const [answer] = await cluster.groupOffsets([{ group, partitions: 'all' }], { requireStable: true })
    assert(answer?.result.ok)
    assert.deepEqual(
      answer.result.value
        .map(({ partition, result }) => [partition, result.ok && result.value?.offset])
        .sort(),
      [
        [0, 6n],
        [1, 9n],
      ],
    )
  })
}
