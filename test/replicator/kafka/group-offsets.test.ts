import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { Reader, Writer } from '@platformatic/kafka'
import type { Cluster } from '../../../replicator/kafka/cluster.ts'
import { apiVersionsAnswer, type ScriptedBroker, type ScriptedRequest } from './scripted-broker.ts'
import { inTurn, ScriptedScene } from './scripted-scene.ts'

const keys = { offsetCommit: 8, offsetFetch: 9, findCoordinator: 10, apiVersions: 18 } as const
const scene = new ScriptedScene(keys, {
  apiVersions: () => apiVersionsAnswer({ 8: [2, 9], 9: [1, 9], 10: [0, 6] }),
  findCoordinator: (request, broker) => coordinators(request, () => broker.port),
  offsetFetch: (request) => offsets(request, () => 0),
})
afterEach(() => scene.end())

/** FindCoordinator 4 to 6: the keys that are asked for. */
function keysAsked({ body }: ScriptedRequest): readonly string[] {
  const reader = Reader.from(body)
  reader.readInt8()
  return reader.readArray((each) => each.readString(), true, false)
}

function coordinators(request: ScriptedRequest, portOf: (group: string) => number): Writer {
  return Writer.create()
    .appendInt32(0)
    .appendArray([...keysAsked(request)], (writer, key) => {
      writer.appendString(key).appendInt32(1).appendString('127.0.0.1').appendInt32(portOf(key))
      writer.appendInt16(0).appendString(null)
    })
    .appendTaggedFields()
}

/** OffsetFetch 8 and 9: the groups that are asked about. */
function groupsAsked({ body, version }: ScriptedRequest): readonly string[] {
  return Reader.from(body).readArray((each) => {
    const group = each.readString()
    if (version >= 9) {
      each.readNullableString()
      each.readInt32()
    }
    each.readNullableArray((topic) => [
      topic.readString(),
      topic.readArray((one) => one.readInt32(), true, false),
    ])
    return group
  })
}

/** One commit of each group, `orders/0` at the length of its name, or an error's code. */
function offsets(request: ScriptedRequest, codeOf: (group: string) => number): Writer {
  return Writer.create()
    .appendInt32(0)
    .appendArray([...groupsAsked(request)], (writer, group) => {
      const code = codeOf(group)
      writer.appendString(group)
      topicOf(writer, code === 0 ? [BigInt(group.length)] : []).appendInt16(code)
    })
    .appendTaggedFields()
}

function topicOf(writer: Writer, committed: readonly bigint[]): Writer {
  return writer.appendArray(committed.length === 0 ? [] : ['orders'], (each, topic) => {
    each.appendString(topic).appendArray([...committed], (one, offset, partition) => {
      one.appendInt32(partition).appendInt64(offset).appendInt32(-1).appendString('').appendInt16(0)
    })
  })
}

async function fetched(cluster: Cluster, groups: readonly string[]) {
  const queries = groups.map((group) => ({ group, partitions: 'all' as const }))
  const answers = await cluster.groupOffsets(queries, { requireStable: true })
  return answers.map(({ group, result }) => {
    if (!result.ok) return [group, result.error.code ?? result.error.kind]
    return [
      group,
      result.value.map((one) => (one.result.ok ? one.result.value?.offset : one.result.error.code)),
    ]
  })
}

const asked = (broker: ScriptedBroker) => broker.heard(keys.offsetFetch).map(groupsAsked)

describe('what groups have committed', () => {
  test('is asked for with many groups at once, and their coordinators are remembered', async () => {
    const broker = await scene.startBroker({})
    const cluster = scene.connect(broker.port)
    const groups = Array.from({ length: 501 }, (_, at) => `group-${at}`)
    const expected = groups.map((group) => [group, [BigInt(group.length)]])
    for (const times of [1, 2]) {
      assert.deepEqual(await fetched(cluster, groups), expected)
      assert.equal(broker.heard(keys.findCoordinator).length, 1)
      assert.equal(broker.heard(keys.offsetFetch).length, times * 2)
    }
    assert.deepEqual(
      asked(broker).map((each) => each.length),
      [500, 1, 500, 1],
    )
  })

  test('of two queries about one group comes twice', async () => {
    const broker = await scene.startBroker({})
    assert.deepEqual(await fetched(scene.connect(broker.port), ['aa', 'b', 'aa']), [
      ['aa', [2n]],
      ['b', [1n]],
      ['aa', [2n]],
    ])
  })

  test('is asked for elsewhere when another broker coordinates by now; the others keep their answers', async () => {
    const next = await scene.startBroker({})
    const first = await scene.startBroker({
      offsetFetch: (request) => offsets(request, (group) => (group === 'moved' ? 16 : 0)),
      findCoordinator: inTurnOf(
        (request) => coordinators(request, () => first.port),
        (request) => coordinators(request, () => next.port),
      ),
    })
    const cluster = scene.connect(first.port)
    assert.deepEqual(await fetched(cluster, ['stays', 'moved']), [
      ['stays', [5n]],
      ['moved', [5n]],
    ])
    assert.deepEqual(asked(first), [['stays', 'moved']])
    assert.deepEqual(asked(next), [['moved']])
    assert.deepEqual(first.heard(keys.findCoordinator).map(keysAsked), [['stays', 'moved'], ['moved']])
  })

  test('is an error for groups that are refused, which are not asked about again', async () => {
    const broker = await scene.startBroker({
      offsetFetch: (request) => offsets(request, (group) => (group === 'secret' ? 30 : 0)),
    })
    assert.deepEqual(await fetched(scene.connect(broker.port), ['secret', 'open']), [
      ['secret', 30],
      ['open', [4n]],
    ])
    assert.equal(asked(broker).length, 1)
  })

  test('is an error for groups whose coordinator loads for too long, or cannot be reached', async () => {
    const gone = await scene.startBroker({})
    await gone.stop()
    const broker = await scene.startBroker({
      offsetFetch: (request) => offsets(request, (group) => (group === 'loads' ? 14 : 0)),
      findCoordinator: (request) =>
        coordinators(request, (group) => (group === 'gone' ? gone.port : broker.port)),
    })
    const cluster = scene.connect(broker.port)
    assert.deepEqual(await fetched(cluster, ['loads', 'gone', 'fine']), [
      ['loads', 14],
      ['gone', 'connection'],
      ['fine', [4n]],
    ])
    assert(cluster.clock.monotonicMs() >= 1000, 'they were asked again for a second')
    assert.equal(asked(broker).filter((groups) => groups.includes('fine')).length, 1)
  })

  test('is asked for one group at a time with brokers before 3.0', async () => {
    const broker = await scene.startBroker({
      apiVersions: () => apiVersionsAnswer({ 9: [0, 7], 10: [0, 3] }),
      findCoordinator: () =>
        Writer.create()
          .appendInt32(0)
          .appendInt16(0)
          .appendString(null)
          .appendInt32(1)
          .appendString('127.0.0.1')
          .appendInt32(broker.port)
          .appendTaggedFields(),
      offsetFetch: ({ body, version }) => {
        assert.equal(version, 7)
        const group = Reader.from(body).readString()
        const answer = topicOf(Writer.create().appendInt32(0), [BigInt(group.length)])
        return answer.appendInt16(group === 'secret' ? 30 : 0).appendTaggedFields()
      },
    })
    assert.deepEqual(await fetched(scene.connect(broker.port), ['aa', 'b', 'secret', 'aa']), [
      ['aa', [2n]],
      ['b', [1n]],
      ['secret', 30],
      ['aa', [2n]],
    ])
    assert.equal(broker.heard(keys.findCoordinator).length, 3)
    assert.equal(broker.heard(keys.offsetFetch).length, 4)
  })
})

/** Answers with each in turn, and then with the last again and again. */
function inTurnOf(...answers: readonly ((request: ScriptedRequest) => Writer)[]) {
  let next = 0
  return (request: ScriptedRequest) => {
    const answer = answers[Math.min(next++, answers.length - 1)]
    assert(answer)
    return answer(request)
  }
}

describe('a commit for a group', () => {
  const ours = [0, 1].map((partition) => {
    return { topic: 'orders', partition, offset: 4n, leaderEpoch: undefined, metadata: 'm' }
  })

  /** OffsetCommit 8 and 9. */
  const committed = (...codes: readonly number[]) =>
    Writer.create()
      .appendInt32(0)
      .appendArray(['orders'], (writer, topic) => {
        writer.appendString(topic).appendArray([...codes], (each, code, partition) => {
          each.appendInt32(partition).appendInt16(code)
        })
      })
      .appendTaggedFields()

  for (const code of [22, 25, 27]) {
    test(`that has members is refused with ${code}, which is no error`, async () => {
      const broker = await scene.startBroker({ offsetCommit: () => committed(code, code) })
      const outcome = await scene.connect(broker.port).commitGroupOffsets('g', ours)
      assert.deepEqual(outcome, { kind: 'group-is-used' })
      assert.equal(broker.heard(keys.offsetCommit).length, 1)
    })
  }

  test('is nobody: without generation, member and instance', async () => {
    const broker = await scene.startBroker({ offsetCommit: () => committed(0, 0) })
    await scene.connect(broker.port).commitGroupOffsets('g', ours)
    const reader = Reader.from(broker.heard(keys.offsetCommit)[0]?.body ?? Buffer.alloc(0))
    const nobody = [reader.readString(), reader.readInt32(), reader.readString(), reader.readNullableString()]
    assert.deepEqual(nobody, ['g', -1, '', null])
    const topics = reader.readArray((topic) => [
      topic.readString(),
      topic.readArray((each) => {
        return [each.readInt32(), each.readInt64(), each.readInt32(), each.readNullableString()]
      }),
    ])
    assert.deepEqual(topics, [
      [
        'orders',
        [
          [0, 4n, -1, 'm'],
          [1, 4n, -1, 'm'],
        ],
      ],
    ])
  })

  test('does not wait for those of other groups, but for those of its own', async () => {
    const broker = await scene.startBroker({ offsetCommit: () => committed(0, 0) })
    const cluster = scene.connect(broker.port)
    for (let at = 0; at < 20; at++) await cluster.commitGroupOffsets('g', ours)
    assert.equal(broker.connections, 2, 'one for everything else, one for this group')
    const groups = Array.from({ length: 100 }, (_, at) => `group-${at}`)
    await Promise.all(groups.map((group) => cluster.commitGroupOffsets(group, ours)))
    assert.equal(broker.connections, 9)
    cluster.destroy()
    while (broker.connections > 0) await turn()
  })

  test('is repeated while its coordinator loads', async () => {
    const broker = await scene.startBroker({
      offsetCommit: inTurn(
        () => committed(14, 14),
        () => committed(0, 0),
      ),
    })
    const outcome = await scene.connect(broker.port).commitGroupOffsets('g', ours)
    assert.equal(outcome.kind, 'answered')
    assert.equal(broker.heard(keys.findCoordinator).length, 2)
  })

  test('fails for partitions alone, or as a whole', async () => {
    const broker = await scene.startBroker({
      offsetCommit: inTurn(
        () => committed(0, 29),
        () => committed(0),
        () => committed(30, 30),
      ),
    })
    const cluster = scene.connect(broker.port)
    const codes = async () => {
      const outcome = await cluster.commitGroupOffsets('g', ours)
      assert(outcome.kind === 'answered')
      return outcome.partitions.map(({ result }) =>
        result.ok ? 0 : (result.error.code ?? result.error.kind),
      )
    }
    assert.deepEqual(await codes(), [0, 29])
    assert.deepEqual(await codes(), [0, 'malformed'])
    await assert.rejects(codes(), { name: 'KafkaError', code: 30, message: /OffsetCommit failed/ })
  })
})
