import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
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
  test('an identity mesh over common topics resolves, and is refused to run, once', () => {
    fc.assert(
      fc.property(meshSpec, (spec) => {
        const topics = [{ match: '.*' }]
        const found = refusals(resolved({ ...spec, topics, replication: { naming: 'identity' } }))
        assert.deepEqual(
          found.map(({ code, stage }) => ({ code, stage })),
          [{ code: 'identity-loop', stage: 'run' }],
        )
      }),
      { numRuns: 30 },
    )
  })

  test('both directions with different topics are no loop', () => {
    const both = (there: FlowSpec['topics'], back: FlowSpec['topics']): string[] =>
      mentions(
        identity([
          { source: 'a', target: 'b', topics: there },
          { source: 'b', target: 'a', topics: back },
        ]),
      )
    assert.deepEqual(both([{ name: 'x' }], [{ name: 'y' }]), [])
    assert.deepEqual(both([{ prefix: 'eu.' }], [{ prefix: 'us.' }]), [])
    assert.deepEqual(both([{ match: 'x|y' }], [{ match: 'z' }]), [])
    assert.deepEqual(both([{ match: '.*', exclude: 'x' }], [{ name: 'x' }]), [])
    assert.deepEqual(both([{ name: 'x' }], [{ name: 'x' }]), ['identity-loop'])
    assert.deepEqual(both([{ match: 'x|y' }], [{ match: 'y|z' }]), ['identity-loop'])
    assert.deepEqual(both([{ match: 'ab*' }], [{ name: 'a' }]), ['identity-loop'])
    assert.deepEqual(both([{ match: 'ab*.*' }], [{ match: 'ac.*' }]), ['identity-loop'])
    assert.deepEqual(both([{ match: 'or.*' }], [{ match: 'orders\\..*' }]), ['identity-loop'])
  })

  test('different partitions of one topic are no loop', () => {
    const part = (from: number, to: number) => [{ name: 'x', partitionRange: { from, to } }]
    const flows = (back: FlowSpec['topics']) =>
      identity([
        { source: 'a', target: 'b', topics: part(0, 3) },
        { source: 'b', target: 'a', topics: back },
      ])
    assert.deepEqual(mentions(flows(part(4, 7))), [])
    assert.deepEqual(mentions(flows(part(3, 7))), ['identity-loop'])
  })

  test('a ring of three is a loop, a chain is none', () => {
    const chain = [
      { source: 'a', target: 'b' },
      { source: 'b', target: 'c' },
    ]
    assert.deepEqual(mentions(identity(chain)), [])
    assert.deepEqual(mentions(identity([...chain, { source: 'c', target: 'a' }])), ['identity-loop'])
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

  test('identity fan-in is refused to run', () => {
    assert.deepEqual(mentions(into('identity')), ['identity-fan-in'])
    assert.deepEqual(mentions(into('identity', [[{ prefix: 'a.' }], [{ prefix: 'b.' }]])), [])
    assert.deepEqual(mentions(into('identity', [[{ prefix: 'a.' }], [{ prefix: 'a.b.' }]])), [
      'identity-fan-in',
    ])
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
