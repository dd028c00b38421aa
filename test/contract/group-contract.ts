import assert from 'node:assert/strict'
import type { Cluster, GroupMember, JoinedGroup, JoinGroupRequest } from '../../replicator/kafka/cluster.ts'
import { KafkaError } from '../../replicator/kafka/errors.ts'
import { type Check, type ContractHarness, eventually } from './contract-harness.ts'

const protocol = 'shares-v1'
const protocolType = 'contract'
/** The least that brokers allow as they ship. */
const sessionTimeoutMs = 6_000

function request(group: string, says: string, changes: Partial<JoinGroupRequest> = {}): JoinGroupRequest {
  return {
    group,
    memberId: undefined,
    instanceId: undefined,
    protocolType,
    protocols: [{ name: protocol, metadata: Buffer.from(says) }],
    sessionTimeoutMs,
    rebalanceTimeoutMs: 10_000,
    ...changes,
  }
}

/** One member as it stands between two requests. */
interface Standing extends GroupMember {
  readonly joined: JoinedGroup
}

async function join(cluster: Cluster, asked: JoinGroupRequest): Promise<Standing> {
  const joined = await cluster.joinGroup(asked)
  const { group, instanceId } = asked
  return { group, instanceId, memberId: joined.memberId, generation: joined.generation, joined }
}

/** The leader gives each member the assignment `to <what it said>`. */
async function sync(cluster: Cluster, { joined, ...member }: Standing): Promise<string> {
  const assignments = joined.members.map(({ memberId, metadata }) => ({
    memberId,
    assignment: Buffer.from(`to ${metadata.toString()}`),
  }))
  const answer = await cluster.syncGroup({ ...member, protocolType, protocol: joined.protocol, assignments })
  return answer.toString()
}

const again = ({ memberId }: Standing, asked: JoinGroupRequest): JoinGroupRequest => ({ ...asked, memberId })

/** The code that a request is refused with, 0 when it is not. */
async function code(asked: Promise<unknown>): Promise<number | undefined> {
  try {
    await asked
    return 0
  } catch (error) {
    assert.ok(error instanceof KafkaError, String(error))
    return error.code
  }
}

const told = (cluster: Cluster, { joined: _, ...member }: Standing): Promise<number | undefined> =>
  code(cluster.heartbeatGroup(member))

/** Heartbeats until it hears that the group rebalances. */
async function callToRejoin(harness: ContractHarness, cluster: Cluster, member: Standing): Promise<void> {
  await eventually(harness, async () => ((await told(cluster, member)) === 27 ? true : undefined))
}

/** Two members of a stable group, each over a client of its own; the first one leads. */
async function twoMembers(harness: ContractHarness, group: string) {
  const { cluster } = harness
  const other = await harness.connect()
  const asked = [request(group, 'a'), request(group, 'b')] as const
  const alone = await join(cluster, asked[0])
  await sync(cluster, alone)
  const second = join(other, asked[1])
  await callToRejoin(harness, cluster, alone)
  const both = await Promise.all([join(cluster, again(alone, asked[0])), second])
  const shares = await Promise.all([sync(cluster, both[0]), sync(other, both[1])])
  return { other, asked, members: both, shares }
}

/** Groups under the classic protocol. */
export function groupContract(check: Check): void {
  check('a member alone leads, gets what it assigns, and is heard until it leaves', async (harness) => {
    const { cluster } = harness
    const member = await join(cluster, request(harness.newName(), 'a'))
    const { joined } = member
    assert.equal(joined.leaderId, member.memberId)
    assert.equal(joined.protocol, protocol)
    assert.deepEqual(
      joined.members.map(({ memberId, instanceId, metadata }) => [memberId, instanceId, metadata.toString()]),
      [[member.memberId, undefined, 'a']],
    )
    assert.equal(await sync(cluster, member), 'to a')
    assert.equal(await told(cluster, member), 0)
    await cluster.leaveGroup(member)
    assert.equal(await told(cluster, member), 25)
    assert.equal(await code(cluster.leaveGroup(member)), 25)
  })

  check('another member makes the group rebalance; both learn their share', async (harness) => {
    const { other, members, shares } = await twoMembers(harness, harness.newName())
    const [first, second] = members
    assert.equal(first.generation, second.generation)
    assert.equal(second.joined.leaderId, first.memberId)
    assert.equal(second.joined.members.length, 0)
    assert.equal(first.joined.members.length, 2)
    assert.deepEqual(shares, ['to a', 'to b'])
    await other.close()
  })

  check('a member that leaves hands its place to the others', async (harness) => {
    const { cluster } = harness
    const { other, asked, members } = await twoMembers(harness, harness.newName())
    await other.leaveGroup(members[1])
    await callToRejoin(harness, cluster, members[0])
    const alone = await join(cluster, again(members[0], asked[0]))
    assert.equal(alone.joined.members.length, 1)
    assert.equal(alone.generation, members[0].generation + 1)
    await other.close()
  })

  check('a member that is not heard of any more is forgotten', async (harness) => {
    const { cluster } = harness
    const { other, asked, members } = await twoMembers(harness, harness.newName())
    await callToRejoin(harness, cluster, members[0])
    const alone = await join(cluster, again(members[0], asked[0]))
    assert.equal(alone.joined.members.length, 1)
    assert.equal(await told(other, members[1]), 25)
    await other.close()
  })

  check('what a former generation says is refused', async (harness) => {
    const { cluster } = harness
    const { other, members } = await twoMembers(harness, harness.newName())
    const late: Standing = { ...members[1], generation: members[1].generation - 1 }
    assert.equal(await told(other, late), 22)
    assert.equal(await code(sync(other, late)), 22)
    const stranger: Standing = { ...members[1], memberId: 'stranger' }
    assert.equal(await told(other, stranger), 25)
    assert.equal(await code(sync(other, stranger)), 25)
    assert.equal(await code(join(cluster, again(stranger, request(members[0].group, 'c')))), 25)
    await other.close()
  })

  check(
    'a member that says something new makes the group rebalance, one that repeats itself does not',
    async (harness) => {
      const { cluster } = harness
      const { other, asked, members } = await twoMembers(harness, harness.newName())
      const repeated = await join(other, again(members[1], asked[1]))
      assert.equal(repeated.generation, members[1].generation)
      assert.equal(await sync(other, repeated), 'to b')
      const news = join(other, again(members[1], request(members[1].group, 'c')))
      await callToRejoin(harness, cluster, members[0])
      const first = await join(cluster, again(members[0], asked[0]))
      const second = await news
      assert.deepEqual(await Promise.all([sync(cluster, first), sync(other, second)]), ['to a', 'to c'])
      await other.close()
    },
  )

  check('heartbeats keep a member that waits for the others', async (harness) => {
    const { cluster } = harness
    const { other, asked, members } = await twoMembers(harness, harness.newName())
    const waiting = join(other, again(members[1], request(members[1].group, 'c')))
    await callToRejoin(harness, cluster, members[0])
    assert.equal(await told(other, members[1]), 27)
    const first = await join(cluster, again(members[0], asked[0]))
    const second = await waiting
    // The generation is known to both, the assignment not yet: heartbeats count all the same.
    assert.equal(await told(other, second), 0)
    assert.deepEqual(await Promise.all([sync(cluster, first), sync(other, second)]), ['to a', 'to c'])
    await other.close()
  })

  check('a member with an instance id keeps its share while it restarts', async (harness) => {
    const { cluster } = harness
    const asked = request(harness.newName(), 'a', { instanceId: 'pod-0' })
    const before = await join(cluster, asked)
    assert.equal(await sync(cluster, before), 'to a')
    const restarted = await join(cluster, {
      ...asked,
      protocols: [{ name: protocol, metadata: Buffer.from('new') }],
    })
    assert.notEqual(restarted.memberId, before.memberId)
    assert.equal(restarted.generation, before.generation)
    assert.equal(await sync(cluster, restarted), 'to a')
    assert.equal(await told(cluster, restarted), 0)
    assert.equal(await told(cluster, before), 82)
    assert.equal(await code(sync(cluster, before)), 82)
    assert.equal(await code(join(cluster, again(before, asked))), 82)
    await cluster.leaveGroup(restarted)
    assert.equal(await told(cluster, restarted), 25)
  })

  check('a member whose protocols the others do not have is refused', async (harness) => {
    const { cluster } = harness
    const group = harness.newName()
    const member = await join(cluster, request(group, 'a'))
    await sync(cluster, member)
    const other = [{ name: 'shares-v2', metadata: Buffer.from('b') }]
    assert.equal(await code(join(cluster, request(group, 'b', { protocols: other }))), 23)
    assert.equal(await code(join(cluster, request(group, 'b', { protocolType: 'consumer' }))), 23)
    assert.equal(await code(join(cluster, request(group, 'b', { sessionTimeoutMs: 1 }))), 26)
    assert.equal(await code(join(cluster, request('', 'b'))), 24)
    assert.equal(await told(cluster, member), 0)
    await cluster.leaveGroup(member)
  })

  check('who gives up waiting frees its client for other requests', async (harness) => {
    const { cluster } = harness
    const other = await harness.connect()
    const group = harness.newName()
    const member = await join(cluster, request(group, 'a'))
    await sync(cluster, member)
    const enough = new AbortController()
    const waiting = other.joinGroup(request(group, 'b'), enough.signal)
    await callToRejoin(harness, cluster, member)
    enough.abort(new Error('enough'))
    await assert.rejects(waiting, /enough/)
    const elsewhere = await join(other, request(harness.newName(), 'c'))
    assert.equal(await sync(other, elsewhere), 'to c')
    await other.close()
  })
}
