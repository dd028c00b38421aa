import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { addressesToTry, BrokerDirectory } from '../../../replicator/kafka/broker-directory.ts'
import { brokerId } from '../../../replicator/kafka/cluster.ts'
import type { RegionAlias } from '../../../replicator/topology/model.ts'

const address = (host: string) => ({ host, port: 9092 })
const answer = (hosts: readonly string[], clusterId = 'one', controllerId = 0) => ({
  throttleTimeMs: 0,
  clusterId,
  controllerId,
  topics: [],
  brokers: hosts.map((host, nodeId) => ({ nodeId, host, port: 9092, rack: null })),
})

describe('BrokerDirectory', () => {
  test('follows brokers that move', () => {
    const directory = new BrokerDirectory('us-east' as RegionAlias)
    assert.equal(directory.stale, true)
    directory.adopt(answer(['a', 'b'], 'one', 1))
    assert.equal(directory.stale, false)
    assert.equal(directory.controller, brokerId(1))
    directory.markStale()
    directory.adopt(answer(['moved', 'b'], 'one', -1))
    assert.deepEqual(directory.brokers.get(brokerId(0)), address('moved'))
    assert.equal(directory.controller, undefined)
  })

  test('keeps what it knew when a broker knows nobody', () => {
    const directory = new BrokerDirectory('us-east' as RegionAlias)
    directory.adopt(answer(['a']))
    directory.markStale()
    directory.adopt(answer([]))
    assert.deepEqual([...directory.brokers.values()], [address('a')])
    assert.equal(directory.stale, true)
  })

  test('refuses the answers of another cluster', () => {
    const directory = new BrokerDirectory('us-east' as RegionAlias)
    directory.adopt(answer(['a']))
    assert.throws(() => directory.adopt(answer(['b'], 'two')), {
      kind: 'INCONSISTENT_CLUSTER_ID',
      retriable: false,
      cluster: 'us-east',
    })
    assert.deepEqual([...directory.brokers.values()], [address('a')])
  })
})

describe('addressesToTry', () => {
  const hosts = (
    known: string[],
    bootstrap: string[],
    connected: string[],
    failures: Record<string, number> = {},
  ) =>
    addressesToTry(
      known.map(address),
      bootstrap.map(address),
      ({ host }) => connected.includes(host),
      new Map(Object.entries(failures).map(([host, at]) => [`${host}:9092`, at])),
    ).map(({ host }) => host)

  test('prefers open connections, then known brokers, then bootstrap addresses', () => {
    assert.deepEqual(hosts(['a', 'b', 'c'], ['d', 'b'], ['c']), ['c', 'a', 'b', 'd'])
  })

  test('tries what failed recently last, among its equals', () => {
    assert.deepEqual(hosts(['a', 'b', 'c'], ['d'], [], { a: 20, b: 10 }), ['c', 'b', 'a', 'd'])
  })

  test('goes back to the bootstrap addresses', () => {
    assert.deepEqual(hosts([], ['d', 'e'], [], { d: 1 }), ['e', 'd'])
  })
})
