import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { LostRegistryError } from '../../../replicator/provenance/lost-registry.ts'
import { encodeRegistryKey, encodeRegistryValue } from '../../../replicator/provenance/registry-record.ts'
import { internalTopics } from '../../../replicator/topology/internal-names.ts'
import { resolveTopology } from '../../../replicator/topology/resolve-topology.ts'
import type { FlowSpec } from '../../../replicator/topology/spec.ts'
import { compareFlow } from '../../../replicator/verify/compare-flow.ts'
import { recordsOf } from '../../simulation/record-batches.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { numbered, type Setting, setting, stamp } from './verify-scene.ts'

const { producers, progress } = internalTopics({ name: 't' })
const there = { source: 'us-east', target: 'eu-west', naming: 'identity' }
const back = { source: 'eu-west', target: 'us-east', naming: 'identity' }

/** The topic `orders` under one name on both sides, written to by clients (no id, or an id of theirs) and flows. */
async function scene(flows: readonly FlowSpec[]) {
  const resolved = resolveTopology({
    name: 't',
    regions: { 'us-east': {}, 'eu-west': {} },
    topics: [{ name: 'orders' }],
    flows,
  })
  assert(resolved.ok)
  const { topology } = resolved
  const base: Setting = await setting()
  const topic = { partitions: 1, replicationFactor: 1, configs: new Map<string, string>() }
  assert(base.target.topics.create({ name: 'orders', ...topic }).ok)
  const sequences = new Map<string, number>()
  return {
    ...base,
    register(side: 'source' | 'target', producerId: bigint, flow: string) {
      const brokers = base[side]
      if (brokers.topics.byName(producers) === undefined)
        assert(brokers.topics.create({ name: producers, ...topic }).ok)
      const entry = { producerId, flow, shard: 0, progressTopicId: undefined }
      const record = {
        ...recordsOf([['', '']], stamp)[0]!,
        key: encodeRegistryKey(producerId),
        value: encodeRegistryValue(entry),
      }
      base.write(side, { topic: producers, partition: 0 }, [record])
    },
    keepProgress(side: 'source' | 'target') {
      assert(base[side].topics.create({ name: progress, ...topic }).ok)
      base.write(side, { topic: progress, partition: 0 }, recordsOf([['k', 'v']], stamp))
    },
    append(side: 'source' | 'target', from: number, count: number, producerId = -1n) {
      const sequence = sequences.get(`${side} ${producerId}`) ?? 0
      sequences.set(`${side} ${producerId}`, sequence + count)
      const fields = producerId < 0n ? {} : { producerId, producerEpoch: 0, baseSequence: sequence }
      base.write(side, { topic: 'orders', partition: 0 }, numbered(from, count), fields)
    },
    compare: (index = 0) => {
      const flow = topology.flows[index]!
      const sides =
        flow.source === 'us-east' ? (['source', 'target'] as const) : (['target', 'source'] as const)
      const [source, target] = sides.map((side) => base.clients[side]) as [
        typeof base.clients.source,
        typeof base.clients.target,
      ]
      const pairs = [{ sourceTopic: 'orders', targetTopic: 'orders', partitions: [0] }]
      const { clock } = base
      const { signal } = new AbortController()
      const options = { topology, flow, source, target, pairs, clock, random: new SeededRandom(1), signal }
      return clock.run(compareFlow(options))
    },
  }
}

describe('comparing a flow', () => {
  test('that flows both ways takes what is local to its source and what it wrote itself', async () => {
    const { append, register, compare } = await scene([there, back])
    register('target', 50n, 'us-east->eu-west')
    register('target', 51n, 'us-east->eu-west')
    register('source', 60n, 'eu-west->us-east')
    append('source', 0, 5)
    append('source', 5, 5, 3n)
    append('source', 100, 4, 60n)
    append('source', 10, 5)
    append('target', 100, 2)
    append('target', 0, 7, 50n)
    append('target', 102, 2, 9n)
    append('target', 7, 8, 51n)
    const [forth, home] = [await compare(0), await compare(1)]
    assert.deepEqual(
      [forth, home].map(({ flow, scope, identical, records }) => ({ flow, scope, identical, records })),
      [
        { flow: 'us-east->eu-west', scope: 'own', identical: true, records: { source: 15, target: 15 } },
        { flow: 'eu-west->us-east', scope: 'own', identical: true, records: { source: 4, target: 4 } },
      ],
    )
  })

  test('that echoed, or was not recorded, is different', async () => {
    const { append, register, compare } = await scene([there, back])
    register('target', 50n, 'us-east->eu-west')
    register('source', 60n, 'eu-west->us-east')
    append('source', 0, 5)
    append('source', 100, 4, 60n)
    append('target', 100, 4)
    append('target', 0, 5, 50n)
    assert.equal((await compare(0)).identical, true)
    append('target', 100, 4, 50n)
    assert.equal((await compare(0)).partitions[0]?.differences.extra, 4)
    append('source', 5, 2)
    append('target', 5, 2, 51n)
    assert.equal((await compare(0)).partitions[0]?.differences.missing, 2)
  })

  test('one way takes everything; of a pair that was turned round, what is its own', async () => {
    const { append, register, compare } = await scene([there])
    append('source', 0, 5)
    append('target', 0, 5, 50n)
    const whole = await compare()
    assert.deepEqual([whole.scope, whole.identical], ['everything', true])
    // What clients write there is something that the source does not have.
    append('target', 30, 1)
    assert.equal((await compare()).partitions[0]?.differences.extra, 1)
    // Once the flow went the other way, both sides hold records of both.
    append('source', 30, 1, 60n)
    register('source', 60n, 'eu-west->us-east')
    register('target', 50n, 'us-east->eu-west')
    const own = await compare()
    assert.deepEqual([own.scope, own.identical], ['own', true])
  })

  test('under other names asks no registry', async () => {
    const { append, keepProgress, clients, compare, target } = await scene([{ ...there, naming: 'prefixed' }])
    keepProgress('source')
    append('source', 0, 5)
    const described = clients.target.describeTopics.bind(clients.target)
    clients.target.describeTopics = (names, signal) => {
      assert(!names.includes(producers))
      return described(names, signal)
    }
    assert.equal((await compare()).scope, 'everything')
    assert.equal(target.topics.byName(producers), undefined)
  })

  test('whose source has lost its registry is an error', async () => {
    const { append, keepProgress, compare } = await scene([there, back])
    keepProgress('source')
    append('source', 0, 5)
    await assert.rejects(compare(), LostRegistryError)
  })

  test('looking creates nothing', async () => {
    const { append, compare, source, target } = await scene([there, back])
    append('source', 0, 5)
    assert.equal((await compare()).partitions[0]?.differences.missing, 5)
    assert.deepEqual(
      [source, target].map(({ topics }) => topics.byName(producers)),
      [undefined, undefined],
    )
  })
})
