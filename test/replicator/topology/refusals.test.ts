import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { forwardsOnlyLocal } from '../../../replicator/topology/forwards-only-local.ts'
import type { Flow, Topology } from '../../../replicator/topology/model.ts'
import { type RefusalCode, refusals } from '../../../replicator/topology/refusals.ts'
import { resolveTopology } from '../../../replicator/topology/resolve-topology.ts'
import type { FlowSpec, TopologySpec } from '../../../replicator/topology/spec.ts'
import { anySpec, meshSpec } from './specs.ts'

function resolved(spec: TopologySpec): Topology {
  const result = resolveTopology(spec)
  assert.ok(result.ok, JSON.stringify(result))
  return result.topology
}

const codes = (topology: Topology): RefusalCode[] => refusals(topology).map(({ code }) => code)

/** A custom topology of identity flows. */
function identity(flows: FlowSpec[]): TopologySpec {
  const regions = Object.fromEntries(
    flows.flatMap(({ source, target }) => [source, target].flat()).map((a) => [a, {}]),
  )
  return { name: 't', regions, topics: [{ match: '.*' }], replication: { naming: 'identity' }, flows }
}

const mentions = (spec: TopologySpec): string[] => {
  const result = resolveTopology(spec)
  return result.ok ? codes(result.topology) : result.problems.map(({ message }) => message)
}

describe('seeded mistakes are found', () => {
  const seeds: [RefusalCode, (topology: Topology) => Topology][] = [
    ['duplicate-flow', (t) => ({ ...t, flows: [...t.flows, t.flows[0]!] })],
    ['self-flow', (t) => ({ ...t, flows: [...t.flows, { ...t.flows[0]!, target: t.flows[0]!.source }] })],
    ['alias-collision', (t) => ({ ...t, regions: [...t.regions, t.regions[0]!] })],
    [
      'unknown-region',
      (t) => ({ ...t, regions: t.regions.filter(({ alias }) => alias !== t.flows[0]!.source) }),
    ],
    [
      'witness-carries-flow',
      (t) => ({
        ...t,
        regions: t.regions.map((r) => (r.alias === t.flows[0]!.target ? { ...r, role: 'witness' } : r)),
      }),
    ],
    [
      'automatic-failover-without-witness',
      (t) => ({
        ...t,
        failover: { mode: 'automatic' },
        regions: t.regions.filter(({ role }) => role !== 'witness'),
      }),
    ],
    ['invalid-selection', (t) => withTopics(t, [{ kind: 'match', match: '(' }])],
    ['invalid-selection', (t) => withTopics(t, [{ kind: 'match', match: '.*', exclude: '*' }])],
    [
      'invalid-partition-range',
      (t) => withTopics(t, [{ kind: 'name', name: 'x', partitionRange: { from: -1, to: 2 } }]),
    ],
    [
      'invalid-partition-range',
      (t) => withTopics(t, [{ kind: 'name', name: 'x', partitionRange: { from: 5, to: 2 } }]),
    ],
  ]
  for (const [code, seed] of seeds) {
    test(code, () => {
      fc.assert(
        fc.property(anySpec, (spec) => {
          const topology = resolved(spec)
          assert.ok(!codes(topology).includes(code))
          const found = refusals(seed(topology)).filter((refusal) => refusal.code === code)
          assert.ok(found.length > 0)
          assert.ok(found.every(({ stage, hint }) => stage === 'declare' && hint !== ''))
        }),
        { numRuns: 30 },
      )
    })
  }

  function withTopics(topology: Topology, topics: Flow['topics']): Topology {
    return { ...topology, flows: topology.flows.map((flow, at) => (at === 0 ? { ...flow, topics } : flow)) }
  }
})

describe('loops', () => {
  test('an identity mesh over common topics runs: each flow forwards what is local to its source', () => {
    fc.assert(
      fc.property(meshSpec, (spec) => {
        const { configSync: _, aclSync: __, ...replication } = spec.replication ?? {}
        const topology = resolved({
          ...spec,
          topics: [{ match: '.*' }],
          replication: { ...replication, naming: 'identity' },
        })
        assert.deepEqual(refusals(topology), [])
        assert(topology.flows.every((flow) => forwardsOnlyLocal(topology, flow)))
        assert(topology.flows.every((flow) => flow.configSync.mode === 'off'))
      }),
      { numRuns: 30 },
    )
  })

  test('one whose flows all follow configs contradicts itself', () => {
    const follows = { configSync: { mode: 'follow' as const } }
    const two = (back: Partial<FlowSpec>): string[] =>
      mentions(
        identity([
          { source: 'a', target: 'b', ...follows },
          { source: 'b', target: 'a', ...back },
        ]),
      )
    assert.match(two(follows)[0] ?? '', /a->b and b->a would both set the configs/)
    assert.deepEqual(two({ configSync: { mode: 'off' } }), [])
    assert.deepEqual(two({}), [])
    assert.deepEqual(two({ configSync: { exclude: ['retention.ms'] } }), [])
  })

  test('ACLs of topics of one name are carried in one direction at most', () => {
    const two = (there: 'sync' | 'report', back: FlowSpec['topics']): string[] =>
      mentions(
        identity([
          { source: 'a', target: 'b', topics: [{ name: 'x' }], aclSync: { mode: there } },
          { source: 'b', target: 'a', topics: back, aclSync: { mode: 'sync' } },
        ]),
      )
    assert.match(two('sync', [{ name: 'x' }])[0] ?? '', /a->b and b->a would both carry ACLs/)
    assert.deepEqual(two('report', [{ name: 'x' }]), [])
    assert.deepEqual(two('sync', [{ name: 'y' }]), [])
  })

  /** Which of two opposite identity flows forward local batches only. */
  const both = (there: FlowSpec['topics'], back: FlowSpec['topics']): boolean[] => {
    const topology = resolved(
      identity([
        { source: 'a', target: 'b', topics: there },
        { source: 'b', target: 'a', topics: back },
      ]),
    )
    assert.deepEqual(codes(topology), [])
    return topology.flows.map((flow) => forwardsOnlyLocal(topology, flow))
  }

  test('both directions with different topics are no loop', () => {
    const none = [false, false]
    const loop = [true, true]
    assert.deepEqual(both([{ name: 'x' }], [{ name: 'y' }]), none)
    assert.deepEqual(both([{ prefix: 'eu.' }], [{ prefix: 'us.' }]), none)
    assert.deepEqual(both([{ match: 'x|y' }], [{ match: 'z' }]), none)
    assert.deepEqual(both([{ match: '.*', exclude: 'x' }], [{ name: 'x' }]), none)
    assert.deepEqual(both([{ name: 'x' }], [{ name: 'x' }]), loop)
    assert.deepEqual(both([{ match: 'x|y' }], [{ match: 'y|z' }]), loop)
    assert.deepEqual(both([{ match: 'ab*' }], [{ name: 'a' }]), loop)
    assert.deepEqual(both([{ match: 'ab*.*' }], [{ match: 'ac.*' }]), loop)
    assert.deepEqual(both([{ match: 'or.*' }], [{ match: 'orders\\..*' }]), loop)
  })

  test('different partitions of one topic are no loop', () => {
    const part = (from: number, to: number) => [{ name: 'x', partitionRange: { from, to } }]
    assert.deepEqual(both(part(0, 3), part(4, 7)), [false, false])
    assert.deepEqual(both(part(0, 3), part(3, 7)), [true, true])
  })

  test('a chain forwards copies too; a ring of three would leave out what is two regions away', () => {
    const chain = [
      { source: 'a', target: 'b' },
      { source: 'b', target: 'c' },
    ]
    const topology = resolved(identity(chain))
    assert.deepEqual(codes(topology), [])
    assert(!topology.flows.some((flow) => forwardsOnlyLocal(topology, flow)))
    assert(!topology.flows.some((flow) => flow.configSync.mode === 'off'))
    const ring = refusals(resolved(identity([...chain, { source: 'c', target: 'a' }])))
    assert.deepEqual(
      ring.map(({ code, stage }) => ({ code, stage })),
      Array.from({ length: 3 }, () => ({ code: 'identity-gap', stage: 'run' })),
    )
    assert.match(ring[0]?.message ?? '', /records of c that c->a brings there would never reach b/)
  })

  test('a hub that flows both ways would keep the records of one spoke from the others', () => {
    const spokes = ['a', 'b'].flatMap((spoke) => [
      { source: spoke, target: 'hub' },
      { source: 'hub', target: spoke },
    ])
    assert.deepEqual(mentions(identity(spokes)), ['identity-gap', 'identity-gap'])
    const direct = [
      { source: 'a', target: 'b' },
      { source: 'b', target: 'a' },
    ]
    assert.deepEqual(mentions(identity([...spokes, ...direct])), [])
    // What a and b exchange directly must be what they exchange with the hub.
    const less = direct.map((flow) => ({ ...flow, topics: [{ prefix: 'x' }] }))
    assert.deepEqual(new Set(mentions(identity([...spokes, ...less]))), new Set(['identity-gap']))
    const exact = spokes.map((flow) => ({ ...flow, topics: [{ name: 'xy' }, { name: 'x' }] }))
    assert.deepEqual(mentions(identity([...exact, ...less])), [])
    const other = direct.map((flow) => ({ ...flow, topics: [{ match: 'xy' }] }))
    assert.deepEqual(new Set(mentions(identity([...exact, ...other]))), new Set(['identity-gap']))
  })

  test('a pair that flows both ways gives a third region everything over one of its members', () => {
    const pair = [
      { source: 'a', target: 'b' },
      { source: 'b', target: 'a' },
    ]
    const topology = resolved(identity([...pair, { source: 'a', target: 'mirror' }]))
    assert.deepEqual(codes(topology), [])
    assert.deepEqual(
      topology.flows.map((flow) => forwardsOnlyLocal(topology, flow)),
      [true, true, false],
    )
    // Its own records reach only the one that it writes to.
    assert.deepEqual(mentions(identity([...pair, { source: 'x', target: 'a' }])), ['identity-gap'])
    const toBoth = { source: 'x', target: ['a', 'b'] }
    assert.deepEqual(mentions(identity([...pair, toBoth])), [])
    const fromBoth = resolved(identity([...pair, { source: ['a', 'b'], target: 'mirror' }]))
    assert.deepEqual(codes(fromBoth), [])
    assert(fromBoth.flows.every((flow) => forwardsOnlyLocal(fromBoth, flow)))
  })

  test('copies under other names that a two-way flow would leave out are refused', () => {
    const pair = [
      { source: 'a', target: 'b', topics: [{ match: '.*' }] },
      { source: 'b', target: 'a', topics: [{ prefix: 'shop.' }] },
    ]
    const prefixed = { source: 'x', target: 'a', naming: 'prefixed', topics: [{ name: 'orders' }] }
    assert.deepEqual(mentions(identity([...pair, prefixed])), ['identity-gap'])
    const narrow = pair.map((flow) => ({ ...flow, topics: [{ prefix: 'shop.' }] }))
    assert.deepEqual(mentions(identity([...narrow, prefixed])), [])
  })

  test('a prefixed mesh is none: its names say where a topic was', () => {
    fc.assert(
      fc.property(meshSpec, (spec) => {
        assert.deepEqual(codes(resolved({ ...spec, topics: [{ match: '.*' }] })), [])
      }),
      { numRuns: 30 },
    )
  })

  test('two namings, or one without its source, go round for ever', () => {
    const round = (there: string, back: string): string[] =>
      mentions(
        identity([
          { source: 'a', target: 'b', naming: there },
          { source: 'b', target: 'a', naming: back },
        ]),
      )
    assert.match(round('prefixed', 'identity')[0] ?? '', /round for ever/)
    assert.match(round('prefixed', '{source}-{topic}')[0] ?? '', /round for ever/)
    assert.match(round('copy.{topic}', 'copy.{topic}')[0] ?? '', /round for ever/)
    assert.deepEqual(round('{topic}.from.{source}', '{topic}.from.{source}'), [])
  })
})

describe('writing one topic from two sources', () => {
  const into = (naming: string, topics: FlowSpec['topics'][] = []): TopologySpec =>
    identity(
      ['a', 'b'].map((source, at) => ({
        source,
        target: 'hub',
        naming,
        ...(topics[at] === undefined ? {} : { topics: topics[at] }),
      })),
    )

  test('identity flows each bring the records of their own source', () => {
    const local = (topics?: FlowSpec['topics'][]): boolean[] => {
      const topology = resolved(into('identity', topics))
      assert.deepEqual(codes(topology), [])
      return topology.flows.map((flow) => forwardsOnlyLocal(topology, flow))
    }
    assert.deepEqual(local(), [true, true])
    assert.deepEqual(local([[{ prefix: 'a.' }], [{ prefix: 'b.' }]]), [false, false])
    assert.deepEqual(local([[{ prefix: 'a.' }], [{ prefix: 'a.b.' }]]), [true, true])
  })

  test('two ways to one region are refused where they would bring nothing or everything twice', () => {
    const diamond = [
      { source: 'top', target: ['a', 'b'] },
      { source: ['a', 'b'], target: 'hub' },
    ]
    assert.deepEqual(mentions(identity(diamond)), ['identity-gap', 'identity-gap'])
    assert.deepEqual(mentions(identity([...diamond, { source: 'top', target: 'hub' }])), [])
  })

  test('templates must tell the sources apart', () => {
    assert.match(mentions(into('copy.{topic}'))[0] ?? '', /can write the same topic on hub/)
    assert.deepEqual(mentions(into('copy.{source}.{topic}')), [])
    assert.deepEqual(mentions(into('{topic}.{source}')), [])
  })

  test('an alias that another one begins with, joined by a dash', () => {
    const spec = { ...into('{source}-{topic}'), regions: { us: {}, 'us-east': {}, hub: {} } }
    const flows = ['us', 'us-east'].map((source) => ({ source, target: 'hub', naming: '{source}-{topic}' }))
    const found = mentions({ ...spec, flows })
    assert.match(found[0] ?? '', /cannot tell "us" from "us-east"/)
    assert.deepEqual(mentions({ ...spec, flows: flows.map((flow) => ({ ...flow, naming: 'prefixed' })) }), [])
  })
})
