import assert from 'node:assert/strict'
import { afterEach, describe, test } from 'node:test'
import { Writer } from '@platformatic/kafka'
import type { GroupMember } from '../../../replicator/kafka/cluster.ts'
import { apiVersionsAnswer, type ScriptedAnswer } from './scripted-broker.ts'
import { coordinatorAnswer, inTurn, ScriptedScene } from './scripted-scene.ts'

const keys = { findCoordinator: 10, joinGroup: 11, heartbeat: 12, leaveGroup: 13, apiVersions: 18 } as const
const versions = { 10: [6, 6], 11: [9, 9], 12: [4, 4], 13: [5, 5], 14: [5, 5] } as const
const scene = new ScriptedScene(keys, {
  apiVersions: () => apiVersionsAnswer(versions),
  findCoordinator: (_request, broker) => coordinatorAnswer('g', broker.port),
})
afterEach(() => scene.end())

const member: GroupMember = { group: 'g', memberId: 'm', instanceId: undefined, generation: 1 }
const joining = {
  group: 'g',
  memberId: undefined,
  instanceId: undefined,
  protocolType: 'p',
  protocols: [{ name: 'v1', metadata: Buffer.from('x') }],
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 10_000,
}

/** JoinGroup 9. */
function joinAnswer(code: number, memberId: string): Writer {
  return Writer.create()
    .appendInt32(0)
    .appendInt16(code)
    .appendInt32(code === 0 ? 1 : -1)
    .appendString(code === 0 ? 'p' : null)
    .appendString(code === 0 ? 'v1' : null)
    .appendString(memberId)
    .appendBoolean(false)
    .appendString(memberId)
    .appendArray([], () => {})
    .appendTaggedFields()
}

/** Heartbeat 4. */
const heartbeatAnswer = (code: number): Writer =>
  Writer.create().appendInt32(0).appendInt16(code).appendTaggedFields()

/** LeaveGroup 5. */
function leaveAnswer(code: number): Writer {
  return Writer.create()
    .appendInt32(0)
    .appendInt16(0)
    .appendArray([code], (writer) => {
      writer.appendString('m').appendString(null).appendInt16(code)
    })
    .appendTaggedFields()
}

describe('requests of a group', () => {
  test('joins again with the id that it is given', async () => {
    const broker = await scene.startBroker({
      joinGroup: inTurn(
        () => joinAnswer(79, 'm-1'),
        () => joinAnswer(0, 'm-1'),
      ),
    })
    const joined = await scene.connect(broker.port).joinGroup(joining)
    assert.equal(joined.memberId, 'm-1')
    const [first, second] = broker.heard(keys.joinGroup)
    assert.ok(!first?.body.includes('m-1') && second?.body.includes('m-1'))
  })

  test('asks who coordinates again when another broker does by now', async () => {
    const next = await scene.startBroker({ heartbeat: () => heartbeatAnswer(0) })
    const first = await scene.startBroker({
      heartbeat: inTurn(
        () => heartbeatAnswer(0),
        () => heartbeatAnswer(16),
      ),
      findCoordinator: inTurn(
        () => coordinatorAnswer('g', first.port),
        () => coordinatorAnswer('g', next.port),
      ),
    })
    const cluster = scene.connect(first.port)
    await cluster.heartbeatGroup(member)
    await cluster.heartbeatGroup(member)
    assert.equal(first.heard(keys.findCoordinator).length, 2)
    assert.equal(first.heard(keys.heartbeat).length, 2)
    assert.equal(next.heard(keys.heartbeat).length, 1)
  })

  test('a heartbeat that was given up does not hold up the next one', async () => {
    const asked = Promise.withResolvers<void>()
    const silent = (): ScriptedAnswer => {
      asked.resolve()
      return 'silence'
    }
    const broker = await scene.startBroker({ heartbeat: inTurn(silent, () => heartbeatAnswer(0)) })
    const cluster = scene.connect(broker.port)
    const enough = new AbortController()
    const stuck = cluster.heartbeatGroup(member, enough.signal)
    await asked.promise
    const opened = broker.heard(keys.apiVersions).length
    enough.abort(new Error('enough'))
    await assert.rejects(stuck, /enough/)
    await cluster.heartbeatGroup(member)
    assert.equal(broker.heard(keys.heartbeat).length, 2)
    // Brokers answer a connection's requests in order: it went over another one.
    assert.equal(broker.heard(keys.apiVersions).length, opened + 1)
  })

  test('a heartbeat gets past a join that waits for others', async () => {
    const asked = Promise.withResolvers<void>()
    const waits = (): ScriptedAnswer => {
      asked.resolve()
      return 'silence'
    }
    const broker = await scene.startBroker({ joinGroup: waits, heartbeat: () => heartbeatAnswer(27) })
    const cluster = scene.connect(broker.port)
    const waiting = assert.rejects(cluster.joinGroup(joining), /closed on this side/)
    await asked.promise
    const opened = broker.heard(keys.apiVersions).length
    await assert.rejects(cluster.heartbeatGroup(member), { code: 27 })
    assert.equal(broker.heard(keys.apiVersions).length, opened + 1)
    cluster.destroy()
    await waiting
  })

  test('tells how leaving went for the member itself', async () => {
    const broker = await scene.startBroker({
      leaveGroup: inTurn(
        () => leaveAnswer(25),
        () => leaveAnswer(0),
      ),
    })
    const cluster = scene.connect(broker.port)
    await assert.rejects(cluster.leaveGroup(member), { code: 25 })
    await cluster.leaveGroup(member)
  })
})
