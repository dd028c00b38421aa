import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { Reader, Writer } from '@platformatic/kafka'
import { apiVersionsAnswer, metadataAnswer, type ScriptedRequest } from './scripted-broker.ts'
import { coordinatorAnswer, inTurn, ScriptedScene } from './scripted-scene.ts'

const keys = {
  metadata: 3,
  findCoordinator: 10,
  describeGroups: 15,
  listGroups: 16,
  apiVersions: 18,
  consumerGroupDescribe: 69,
} as const
const versions = { 10: [0, 6], 15: [0, 6], 16: [0, 5], 69: [0, 1] } as const
const scene = new ScriptedScene(keys, {
  apiVersions: () => apiVersionsAnswer(versions),
  findCoordinator: (_request, broker) => coordinatorAnswer('g', broker.port),
  metadata: (_request, broker) => metadataAnswer({ ports: { 1: broker.port } }),
})
afterEach(() => scene.end())

/** ListGroups 4 and 5. */
function listed(groups: readonly (readonly string[])[], code = 0): Writer {
  return Writer.create()
    .appendInt32(0)
    .appendInt16(code)
    .appendArray([...groups], (writer, fields) => {
      for (const field of fields) writer.appendString(field)
    })
    .appendTaggedFields()
}

/** ConsumerGroupDescribe 0, about `g`, which has a member unless there is an error. */
function described(code: number): Writer {
  return Writer.create()
    .appendInt32(0)
    .appendArray(['g'], (writer, group) => {
      writer
        .appendInt16(code)
        .appendString(code === 0 ? null : 'why')
        .appendString(group)
        .appendString('Stable')
      writer.appendInt32(3).appendInt32(3).appendString('uniform')
      writer.appendArray(code === 0 ? ['m'] : [], (member, id) => {
        member.appendString(id).appendString('pod-0').appendString(null).appendInt32(3)
        member.appendString('app').appendString('/10.0.0.1')
        member
          .appendArray(['orders'], (each, topic) => each.appendString(topic), true, false)
          .appendString(null)
        for (let list = 0; list < 2; list++) member.appendArray([], () => {}).appendTaggedFields()
      })
      writer.appendInt32(0)
    })
    .appendTaggedFields()
}

/** DescribeGroups 5, about `g`. */
function classic(state: string, code = 0): Writer {
  return Writer.create()
    .appendInt32(0)
    .appendArray(['g'], (writer, group) => {
      writer
        .appendInt16(code)
        .appendString(group)
        .appendString(state)
        .appendString('connect')
        .appendString('')
      writer.appendArray(state === 'Stable' ? ['m'] : [], (member, id) => {
        member.appendString(id).appendString(null).appendString('app').appendString('/10.0.0.1')
        // No subscription and no assignment: compact bytes of length 0.
        member.appendUnsignedVarInt(1).appendUnsignedVarInt(1)
      })
      writer.appendInt32(0)
    })
    .appendTaggedFields()
}

const typesAsked = ({ body }: ScriptedRequest) => {
  const reader = Reader.from(body)
  const lists = [0, 1].map(() => reader.readArray((each) => each.readString(), true, false))
  return lists[1]
}

async function view(port: number) {
  const [told] = await scene.connect(port).describeGroups(['g'])
  assert(told)
  return told.result.ok ? told.result.value : [told.result.error.code, told.result.error.message]
}

const member = { memberId: 'm', clientId: 'app', host: '/10.0.0.1' }

describe('a group', () => {
  test('under the consumer protocol is described as such', async () => {
    const broker = await scene.startBroker({ consumerGroupDescribe: () => described(0) })
    const members = [{ ...member, instanceId: 'pod-0' }]
    assert.deepEqual(await view(broker.port), {
      kind: 'consumer',
      state: 'Stable',
      protocolType: 'consumer',
      members,
    })
  })

  for (const code of [35, 69]) {
    test(`that is of another kind (${code}) is looked for among the classic ones`, async () => {
      const broker = await scene.startBroker({
        consumerGroupDescribe: () => described(code),
        describeGroups: () => classic('Stable'),
      })
      const members = [{ ...member, instanceId: undefined }]
      const expected = { kind: 'classic', state: 'Stable', protocolType: 'connect', members }
      assert.deepEqual(await view(broker.port), expected)
    })
  }

  test('is a classic one with brokers that know no others', async () => {
    const broker = await scene.startBroker({
      apiVersions: () => apiVersionsAnswer({ 10: [0, 6], 15: [0, 5], 16: [0, 4] }),
      describeGroups: inTurn(
        () => classic('Empty'),
        () => classic('Dead'),
      ),
      listGroups: () => listed([['g', 'consumer', 'Empty']]),
    })
    const empty = { kind: 'classic', state: 'Empty', protocolType: 'connect', members: [] }
    assert.deepEqual(await view(broker.port), empty)
    assert.deepEqual(await view(broker.port), { kind: 'missing' })
  })

  test('that is neither is told by its type, or missing', async () => {
    const broker = await scene.startBroker({
      consumerGroupDescribe: () => described(69),
      describeGroups: () => classic('Dead'),
      listGroups: inTurn(
        () => listed([['g', 'share', 'Stable', 'Share']]),
        () => listed([['g', 'streams', 'Empty', 'streams']]),
        () => listed([['h', 'share', 'Stable', 'share']]),
      ),
    })
    assert.deepEqual(await view(broker.port), { kind: 'other', type: 'share', state: 'Stable' })
    assert.deepEqual(await view(broker.port), { kind: 'other', type: 'streams', state: 'Empty' })
    assert.deepEqual(await view(broker.port), { kind: 'missing' })
    assert.deepEqual(broker.heard(keys.listGroups).map(typesAsked)[0], ['share', 'streams'])
  })

  test('that is refused is an error, whoever refuses it', async () => {
    const broker = await scene.startBroker({
      consumerGroupDescribe: inTurn(
        () => described(30),
        () => described(69),
      ),
      describeGroups: () => classic('', 30),
    })
    const first = await view(broker.port)
    assert(Array.isArray(first))
    assert.equal(first[0], 30)
    assert.match(String(first[1]), /ConsumerGroupDescribe failed: GROUP_AUTHORIZATION_FAILED.*broker: "why"/)
    const second = await view(broker.port)
    assert(Array.isArray(second))
    assert.match(String(second[1]), /DescribeGroups failed: GROUP_AUTHORIZATION_FAILED/)
  })
})

describe('the list of groups', () => {
  test('is made of what every broker tells, and names those that told nothing', async () => {
    const other = await scene.startBroker({ listGroups: () => listed([['b', '', 'Empty', 'classic']]) })
    const silent = await scene.startBroker({ listGroups: () => listed([], 14) })
    const broker = await scene.startBroker({
      metadata: () => metadataAnswer({ ports: { 1: broker.port, 2: other.port, 3: silent.port } }),
      listGroups: () => listed([['a', 'consumer', 'Stable', 'consumer']]),
    })
    const listing = await scene.connect(broker.port).listGroups()
    assert.deepEqual(listing.groups, [
      { group: 'a', protocolType: 'consumer', state: 'Stable', type: 'consumer' },
      { group: 'b', protocolType: '', state: 'Empty', type: 'classic' },
    ])
    assert.deepEqual(
      listing.silent.map(({ code, broker: id }) => [code, id]),
      [[14, 3]],
    )
    assert.deepEqual(broker.heard(keys.listGroups).map(typesAsked), [[]])
  })

  test('says no types where brokers tell none', async () => {
    const broker = await scene.startBroker({
      apiVersions: () => apiVersionsAnswer({ 16: [0, 4] }),
      listGroups: () => listed([['a', 'consumer', 'Stable']]),
    })
    const { groups } = await scene.connect(broker.port).listGroups()
    assert.deepEqual(groups, [{ group: 'a', protocolType: 'consumer', state: 'Stable', type: undefined }])
  })
})
