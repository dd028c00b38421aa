import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  type BrokerPorts,
  brokerSettings,
  propertiesText,
} from '../../../replicator/local/broker-settings.ts'

const portsOf = (brokers: number): ReadonlyMap<number, BrokerPorts> =>
  new Map(
    Array.from({ length: brokers }, (_, index) => [
      index + 1,
      { client: 101 + index, controller: 201 + index, internal: 301 + index, mutualTls: 401 + index },
    ]),
  )
const planOf = (brokers: number, brokerConfig: Record<string, string> = {}) => ({
  alias: 'us-east',
  clusterId: 'id',
  ports: portsOf(brokers),
  brokerConfig,
  listenHost: '127.0.0.1',
})

describe('brokerSettings', () => {
  test('one broker: controller of itself, nothing replicated', () => {
    const settings = brokerSettings(planOf(1), 1, '/data')
    assert.equal(settings['process.roles'], 'broker,controller')
    assert.equal(settings['controller.quorum.voters'], '1@127.0.0.1:201')
    assert.equal(settings.listeners, 'PLAINTEXT://127.0.0.1:101,CONTROLLER://127.0.0.1:201')
    assert.equal(settings['offsets.topic.replication.factor'], '1')
    assert.equal(settings['transaction.state.log.min.isr'], '1')
  })

  test('five brokers: three controllers, internal topics on three of them, writable with two', () => {
    const plan = planOf(5)
    const roles = [1, 2, 3, 4, 5].map((id) => brokerSettings(plan, id, '/data')['process.roles'])
    assert.deepEqual(roles, [
      'broker,controller',
      'broker,controller',
      'broker,controller',
      'broker',
      'broker',
    ])
    const fourth = brokerSettings(plan, 4, '/data')
    assert.equal(fourth['controller.quorum.voters'], '1@127.0.0.1:201,2@127.0.0.1:202,3@127.0.0.1:203')
    assert.equal(fourth.listeners, 'PLAINTEXT://127.0.0.1:104')
    assert.equal(fourth['transaction.state.log.replication.factor'], '3')
    assert.equal(fourth['transaction.state.log.min.isr'], '2')
  })

  test("the caller's settings win", () => {
    const settings = brokerSettings(
      planOf(1, { 'message.max.bytes': '99', 'min.insync.replicas': '7' }),
      1,
      '/data',
    )
    assert.equal(settings['message.max.bytes'], '99')
    assert.equal(settings['min.insync.replicas'], '7')
  })
})

test('propertiesText escapes what Java would read otherwise', () => {
  assert.equal(propertiesText({ a: 'x\\y', b: 'one\ntwo' }), 'a=x\\\\y\nb=one\\ntwo\n')
})
