import assert from 'node:assert/strict'
import type { Cluster, JoinedGroup, TopicPartition } from '../../replicator/kafka/cluster.ts'
import type {
  CommittedOffset,
  GroupCommitOutcome,
  GroupOffsetCommit,
  GroupOffsetsAnswer,
  GroupView,
} from '../../replicator/kafka/consumer-groups.ts'
import {
  type Check,
  type ContractHarness,
  codeOf,
  eventually,
  makeTopic,
  patiently,
} from './contract-harness.ts'

const plain = { leaderEpoch: undefined, metadata: '' }

/** What an answer says of each partition: what is committed, nothing, or an error's code. */
function told({ result }: GroupOffsetsAnswer): Record<string, CommittedOffset | number | undefined> {
  assert(result.ok, result.ok ? '' : result.error.message)
  return Object.fromEntries(
    result.value.map(({ topic, partition, result: one }) => [
      `${topic}/${partition}`,
      one.ok ? one.value : one.error.code,
    ]),
  )
}

async function offsetsOf(
  harness: Pick<ContractHarness, 'cluster'>,
  group: string,
  partitions: readonly TopicPartition[] | 'all' = 'all',
  requireStable = false,
) {
  const [answer] = await harness.cluster.groupOffsets([{ group, partitions }], { requireStable })
  assert(answer !== undefined)
  assert.equal(answer.group, group)
  return told(answer)
}

/** The code of each commit; all must have been answered. */
function codesOf(outcome: GroupCommitOutcome): readonly (number | undefined)[] {
  assert(outcome.kind === 'answered', outcome.kind)
  return outcome.partitions.map(({ result }) => codeOf(result))
}

/** Commits until the coordinator is there: the first commit of a cluster makes its offsets topic. */
const commit = (harness: ContractHarness, group: string, commits: readonly GroupOffsetCommit[]) =>
  patiently(harness, () => harness.cluster.commitGroupOffsets(group, commits))

async function viewOf(cluster: Cluster, group: string): Promise<GroupView> {
  const [description] = await cluster.describeGroups([group])
  assert(description !== undefined)
  assert.equal(description.group, group)
  assert(description.result.ok, description.result.ok ? '' : description.result.error.message)
  return description.result.value
}

/** One member of a group that stays for six seconds unless it leaves. */
async function join(cluster: Cluster, group: string, protocolType = 'contract'): Promise<JoinedGroup> {
  const joined = await cluster.joinGroup({
    group,
    memberId: undefined,
    instanceId: undefined,
    protocolType,
    protocols: [{ name: 'shares-v1', metadata: Buffer.from('a') }],
    sessionTimeoutMs: 6_000,
    rebalanceTimeoutMs: 10_000,
  })
  await cluster.syncGroup({
    group,
    memberId: joined.memberId,
    instanceId: undefined,
    generation: joined.generation,
    protocolType,
    protocol: joined.protocol,
    assignments: [{ memberId: joined.memberId, assignment: Buffer.from('a') }],
  })
  return joined
}

const leave = (cluster: Cluster, group: string, { memberId }: JoinedGroup) =>
  cluster.leaveGroup({ group, memberId, instanceId: undefined })

/** What consumer groups have committed, and what others may do about it. */
export function groupOffsetsContract(check: Check): void {
  check('what is committed to a group without members is read back, byte for byte', async (harness) => {
    const { name } = await makeTopic(harness, { partitions: 3 })
    const group = harness.newName()
    const commits: GroupOffsetCommit[] = [
      { topic: name, partition: 0, offset: 0n, ...plain },
      { topic: name, partition: 1, offset: 2n ** 53n + 1n, leaderEpoch: 0, metadata: 'µ \u0000 "ß" 𝄞 \n' },
      { topic: name, partition: 2, offset: 7n, leaderEpoch: undefined, metadata: '\ufeff{"host":"a"}' },
    ]
    assert.deepEqual(codesOf(await commit(harness, group, commits)), [0, 0, 0])
    const expected = {
      [`${name}/0`]: { offset: 0n, ...plain },
      [`${name}/1`]: { offset: 2n ** 53n + 1n, leaderEpoch: 0, metadata: 'µ \u0000 "ß" 𝄞 \n' },
      [`${name}/2`]: { offset: 7n, leaderEpoch: undefined, metadata: '\ufeff{"host":"a"}' },
    }
    assert.deepEqual(await offsetsOf(harness, group), expected)
    assert.deepEqual(await offsetsOf(harness, group, commits, true), expected)
  })

  check('a group may go back, and forget what it attached', async (harness) => {
    const { name: topic } = await makeTopic(harness)
    const group = harness.newName()
    await commit(harness, group, [{ topic, partition: 0, offset: 9n, leaderEpoch: 0, metadata: 'm' }])
    await commit(harness, group, [{ topic, partition: 0, offset: 4n, ...plain }])
    assert.deepEqual(await offsetsOf(harness, group), { [`${topic}/0`]: { offset: 4n, ...plain } })
  })

  check(
    'partitions without a commit and groups that nobody knows have committed nothing',
    async (harness) => {
      const { name: topic } = await makeTopic(harness, { partitions: 2 })
      const group = harness.newName()
      await commit(harness, group, [{ topic, partition: 1, offset: 3n, ...plain }])
      const partitions = [0, 1].map((partition) => ({ topic, partition }))
      assert.deepEqual(await offsetsOf(harness, group, partitions), {
        [`${topic}/0`]: undefined,
        [`${topic}/1`]: { offset: 3n, ...plain },
      })
      assert.deepEqual(await offsetsOf(harness, harness.newName(), partitions), {
        [`${topic}/0`]: undefined,
        [`${topic}/1`]: undefined,
      })
      assert.deepEqual(await offsetsOf(harness, harness.newName()), {})
    },
  )

  check('many groups are answered in one call, in the order of the queries', async (harness) => {
    const { name: topic } = await makeTopic(harness)
    const groups = Array.from({ length: 40 }, () => harness.newName())
    for (const [at, group] of groups.entries())
      await commit(harness, group, [{ topic, partition: 0, offset: BigInt(at), ...plain }])
    const asked = [...groups.toReversed(), harness.newName()]
    const queries = asked.map((group) => ({ group, partitions: 'all' as const }))
    const answers = await harness.cluster.groupOffsets(queries, { requireStable: true })
    assert.deepEqual(
      answers.map(({ group }) => group),
      asked,
    )
    assert.deepEqual(
      answers.map((answer) => Object.values(told(answer))),
      [...groups.keys().map((at) => [{ offset: BigInt(at), ...plain }])].toReversed().concat([[]]),
    )
    assert.deepEqual(await harness.cluster.groupOffsets([], { requireStable: true }), [])
  })

  check('queries about one group are answered each by itself', async (harness) => {
    const { name: topic } = await makeTopic(harness, { partitions: 2 })
    const group = harness.newName()
    const partitions = [0, 1].map((partition) => ({ topic, partition }))
    await commit(harness, group, [{ topic, partition: 0, offset: 3n, ...plain }])
    const queries = partitions.map((at) => ({ group, partitions: [at] }))
    const answers = await harness.cluster.groupOffsets(queries, { requireStable: false })
    assert.deepEqual(answers.map(told), [
      { [`${topic}/0`]: { offset: 3n, ...plain } },
      { [`${topic}/1`]: undefined },
    ])
  })

  check('nobody commits for a group that has members', async (harness) => {
    const { cluster } = harness
    const { name: topic } = await makeTopic(harness)
    const group = harness.newName()
    await commit(harness, group, [{ topic, partition: 0, offset: 3n, ...plain }])
    const member = await join(cluster, group)
    const refused = await cluster.commitGroupOffsets(group, [{ topic, partition: 0, offset: 5n, ...plain }])
    assert.deepEqual(refused, { kind: 'group-is-used' })
    assert.deepEqual(await offsetsOf(harness, group), { [`${topic}/0`]: { offset: 3n, ...plain } })
    await leave(cluster, group, member)
    assert.deepEqual(
      codesOf(await commit(harness, group, [{ topic, partition: 0, offset: 5n, ...plain }])),
      [0],
    )
    assert.deepEqual(await offsetsOf(harness, group), { [`${topic}/0`]: { offset: 5n, ...plain } })
  })

  check(
    'a commit of a partition that does not exist, or with too much attached, fails alone',
    async (harness) => {
      const { name: topic } = await makeTopic(harness, { partitions: 2 })
      const group = harness.newName()
      const commits = [
        { topic, partition: 0, offset: 1n, ...plain },
        { topic, partition: 2, offset: 1n, ...plain },
        { topic, partition: 1, offset: 1n, leaderEpoch: undefined, metadata: 'x'.repeat(4097) },
        { topic: harness.newName(), partition: 0, offset: 1n, ...plain },
      ]
      assert.deepEqual(codesOf(await commit(harness, group, commits)), [0, 3, 12, 3])
      assert.deepEqual(await offsetsOf(harness, group), { [`${topic}/0`]: { offset: 1n, ...plain } })
      assert.deepEqual(codesOf(await commit(harness, group, [])), [])
    },
  )

  check('a commit in an open transaction makes its partition unstable', async (harness) => {
    const { name: topic } = await makeTopic(harness, { partitions: 2 })
    const group = harness.newName()
    const partitions = [0, 1].map((partition) => ({ topic, partition }))
    const before = [1n, 2n].map((offset, partition) => ({ topic, partition, offset, ...plain }))
    await commit(harness, group, before)
    const key = `${topic}/0`
    const other = { [`${topic}/1`]: { offset: 2n, ...plain } }
    for (const [how, offset] of [
      ['abort', 1n],
      ['commit', 8n],
    ] as const) {
      const transaction = await harness.openTransaction()
      await transaction.commitOffset(group, { topic, partition: 0 }, 8n)
      const now = { [key]: { offset: 1n, ...plain }, ...other }
      assert.deepEqual(await offsetsOf(harness, group, partitions, true), { [key]: 88, ...other })
      assert.deepEqual(await offsetsOf(harness, group, 'all', true), { [key]: 88, ...other })
      assert.deepEqual(await offsetsOf(harness, group, partitions), now)
      await transaction.end(how)
      const after = await eventually(harness, async () => {
        const stable = await offsetsOf(harness, group, partitions, true)
        return stable[key] === 88 ? undefined : stable
      })
      assert.deepEqual(after, { [key]: { offset, ...plain }, ...other })
    }
  })

  check('what was committed can be deleted', async (harness) => {
    const { cluster } = harness
    const { name: topic } = await makeTopic(harness, { partitions: 3 })
    const group = harness.newName()
    const commits = [0, 1].map((partition) => ({ topic, partition, offset: 1n, ...plain }))
    await commit(harness, group, commits)
    const deleted = await cluster.deleteGroupOffsets(group, [
      { topic, partition: 0 },
      { topic, partition: 2 },
    ])
    assert.deepEqual(
      deleted.map(({ partition, result }) => [partition, codeOf(result)]),
      [
        [0, 0],
        [2, 0],
      ],
    )
    assert.deepEqual(await offsetsOf(harness, group), { [`${topic}/1`]: { offset: 1n, ...plain } })
    assert.deepEqual(await cluster.deleteGroupOffsets(group, []), [])
  })

  check(
    'nothing is deleted from groups that are not known, or whose members nobody understands',
    async (harness) => {
      const { cluster } = harness
      const { name: topic } = await makeTopic(harness)
      const group = harness.newName()
      const at = [{ topic, partition: 0 }]
      await assert.rejects(cluster.deleteGroupOffsets(group, at), { name: 'KafkaError', code: 69 })
      await commit(harness, group, [{ topic, partition: 0, offset: 1n, ...plain }])
      const member = await join(cluster, group)
      await assert.rejects(cluster.deleteGroupOffsets(group, at), { name: 'KafkaError', code: 68 })
      await leave(cluster, group, member)
      assert.deepEqual(await offsetsOf(harness, group), { [`${topic}/0`]: { offset: 1n, ...plain } })
    },
  )

  check('groups are listed and described with their members, or as missing', async (harness) => {
    const { cluster } = harness
    const { name: topic } = await makeTopic(harness)
    const [simple, joined, missing] = [harness.newName(), harness.newName(), harness.newName()]
    await commit(harness, simple, [{ topic, partition: 0, offset: 1n, ...plain }])
    const member = await join(cluster, joined)
    const listing = await cluster.listGroups()
    assert.deepEqual(listing.silent, [])
    const listed = (group: string) => listing.groups.filter((each) => each.group === group)
    assert.deepEqual(listed(simple), [{ group: simple, protocolType: '', state: 'Empty', type: 'classic' }])
    assert.deepEqual(listed(joined), [
      { group: joined, protocolType: 'contract', state: 'Stable', type: 'classic' },
    ])
    assert.deepEqual(listed(missing), [])
    assert.deepEqual(await viewOf(cluster, simple), {
      kind: 'classic',
      state: 'Empty',
      protocolType: '',
      members: [],
    })
    const view = await viewOf(cluster, joined)
    assert(view.kind === 'classic')
    assert.equal(view.state, 'Stable')
    assert.equal(view.protocolType, 'contract')
    assert.deepEqual(
      view.members.map(({ memberId, instanceId }) => [memberId, instanceId]),
      [[member.memberId, undefined]],
    )
    assert.deepEqual(await viewOf(cluster, missing), { kind: 'missing' })
    await leave(cluster, joined, member)
    await eventually(harness, async () => {
      const left = await viewOf(cluster, joined)
      return left.kind === 'classic' && left.members.length === 0 ? true : undefined
    })
    const several = await cluster.describeGroups([missing, simple, joined])
    assert.deepEqual(
      several.map(({ group, result }) => [group, result.ok && result.value.kind]),
      [
        [missing, 'missing'],
        [simple, 'classic'],
        [joined, 'classic'],
      ],
    )
  })
}
