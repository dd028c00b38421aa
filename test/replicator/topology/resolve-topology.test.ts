import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { Topology } from '../../../replicator/topology/model.ts'
import { activeActiveMesh, activePassivePair } from '../../../replicator/topology/patterns.ts'
import { formatPath } from '../../../replicator/topology/problem.ts'
import { refusals } from '../../../replicator/topology/refusals.ts'
import { resolveTopology } from '../../../replicator/topology/resolve-topology.ts'
import type { TopologySpec } from '../../../replicator/topology/spec.ts'
import { anySpec, hubSpec, meshSpec, pairSpec } from './specs.ts'

function resolved(spec: TopologySpec): Topology {
  const result = resolveTopology(spec)
  assert.ok(result.ok, JSON.stringify(result))
  return result.topology
}

function problemsOf(spec: TopologySpec): string[] {
  const result = resolveTopology(spec)
  assert.equal(result.ok, false)
  return result.ok ? [] : result.problems.map(({ path, message }) => `${formatPath(path)}: ${message}`)
}

const pairsOf = (topology: Topology): string[] => topology.flows.map(({ id }) => id as string).sort()
const pair = (extra: Partial<TopologySpec> = {}): TopologySpec => ({
  ...activePassivePair({
    name: 'payments',
    active: { alias: 'us-east' },
    passive: { alias: 'eu-west' },
    topics: [{ name: 'payments' }],
  }),
  ...extra,
})

describe('what a pattern makes', () => {
  test('a pair: one identity flow from the active region, run at the source', () => {
    const topology = resolved(pair({ objectives: { rpo: '5s', rto: '1m' } }))
    assert.equal(topology.flows.length, 1)
    const { id, naming, placement, replicationFactor, shards, startAt, configSync } = topology.flows[0]!
    assert.deepEqual(
      { id, naming, placement, replicationFactor, shards, startAt, mode: configSync.mode },
      {
        id: 'us-east->eu-west',
        naming: { kind: 'identity' },
        placement: 'source',
        replicationFactor: 'broker-default',
        shards: 8,
        startAt: 'earliest',
        mode: 'follow',
      },
    )
    assert.ok(configSync.exclude.includes('min\\.insync\\.replicas'))
    assert.deepEqual(topology.objectives, { rpoMs: 5_000, rtoMs: 60_000 })
    assert.deepEqual(topology.failover, { mode: 'manual' })
    assert.deepEqual(refusals(topology), [])
  })

  test('the witness of a pair carries nothing and permits automatic failover', () => {
    const spec = activePassivePair({
      name: 'p',
      active: { alias: 'a' },
      passive: { alias: 'b' },
      witness: { alias: 'w' },
      topics: [{ prefix: 'ledger.' }],
      failover: { mode: 'automatic' },
    })
    const topology = resolved(spec)
    assert.deepEqual(pairsOf(topology), ['a->b'])
    assert.deepEqual(topology.flows[0]!.topics, [{ kind: 'match', match: 'ledger\\..*' }])
  })

  test('a custom flow is prefixed and run at the target', () => {
    const topology = resolved({
      name: 'c',
      regions: { a: {}, b: {} },
      flows: [{ source: 'a', target: 'b', topics: [{ name: 'x' }] }],
    })
    assert.deepEqual(topology.flows[0]!.naming, { kind: 'prefixed', separator: '.' })
    assert.equal(topology.flows[0]!.placement, 'target')
  })

  test('every pair and mesh has exactly the flows between its regions, none to itself', () => {
    fc.assert(
      fc.property(fc.oneof(pairSpec, meshSpec), (spec) => {
        const carrying = Object.entries(spec.regions).filter(([, { role }]) => role !== 'witness')
        const expected = carrying.flatMap(([source, from]) =>
          carrying
            .filter(([target]) => source !== target && from.role !== 'passive')
            .map(([target]) => `${source}->${target}`),
        )
        assert.deepEqual(pairsOf(resolved(spec)), expected.sort())
      }),
    )
  })

  test('lists of sources and targets make a hub with its spokes', () => {
    fc.assert(
      fc.property(hubSpec, (spec) => {
        const [hub = '', ...spokes] = [spec.flows?.[0]?.target as string, ...(spec.flows?.[0]?.source ?? [])]
        const topology = resolved(spec)
        const expected = spokes.flatMap((spoke) => [`${spoke}->${hub}`, `${hub}->${spoke}`])
        assert.deepEqual(pairsOf(topology), expected.sort())
        for (const { source, topics, shards } of topology.flows) {
          if (source === hub) assert.deepEqual(topics, [{ kind: 'name', name: 'prices' }])
          else assert.equal(shards, 3)
        }
      }),
    )
  })

  test("a flow's own settings come before the topology's, and those before the defaults", () => {
    const { flows } = resolved({
      ...activeActiveMesh({ name: 'm', peers: [{ alias: 'a' }, { alias: 'b' }], topics: [{ name: 't' }] }),
      replication: { naming: 'prefixed', shards: 4, startAt: 'latest' },
      flows: [{ source: 'a', target: 'b', shards: 2, paused: [{ name: 't' }] }],
    })
    assert.deepEqual(
      flows.map(({ id, shards, startAt, paused }) => ({ id, shards, startAt, paused: paused.length })),
      [
        { id: 'a->b', shards: 2, startAt: 'latest', paused: 1 },
        { id: 'b->a', shards: 4, startAt: 'latest', paused: 0 },
      ],
    )
  })

  test('generated topologies resolve, are frozen to the bottom, and nothing speaks against them', () => {
    fc.assert(
      fc.property(anySpec, (spec) => {
        const topology = resolved(spec)
        assert.deepEqual(refusals(topology), [])
        assert.throws(() => Object.assign(topology.flows[0]!.configSync, { mode: 'off' }), TypeError)
        assert.throws(() => Object.assign(topology.regions, { 0: undefined }), TypeError)
      }),
    )
  })
})

describe('what is refused, all at once', () => {
  test('every part of a thoroughly wrong spec', () => {
    const spec: TopologySpec = {
      name: 'Bad Name',
      regions: { A: {}, b: { role: 'witness' } },
      topics: [{ match: '(' }, {}, { name: 'a', match: 'b' }, { name: 'a b' }, { name: 'x', exclude: 'y' }],
      objectives: { rpo: '5 parsecs' },
      failover: { mode: 'automatic' },
      replication: { naming: '{source}', configSync: { exclude: ['['] }, aclSync: { principals: ['me'] } },
      flows: [
        { source: 'A', target: 'b', shards: 0, replicationFactor: 1.5 },
        { source: 'nowhere', target: 'A', topics: [{ name: 't', partitionRange: { from: 3, to: 1 } }] },
        { source: 'A', target: 'A' },
      ],
    }
    const rule =
      'use 1 to 63 lowercase letters, digits and dashes, beginning and ending with a letter or digit'
    assert.deepEqual(problemsOf(spec).sort(), [
      'flows[0].replicationFactor: a replication factor is a whole number from 1 to 32767',
      'flows[0].shards: the number of shards is a whole number from 1 to 1024',
      'flows[0].target: b is a witness, which takes part in failover votes and carries no flows',
      'flows[1].source: there is no region "nowhere"',
      'flows[1].topics[0].partitionRange: partitions 3 to 1 are none: "from" is above "to"',
      'flows[2].target: a flow from A to itself',
      `name: "Bad Name" cannot name a topology: ${rule}`,
      'objectives.rpo: not a duration',
      `regions.A: "A" cannot name a region: ${rule}`,
      'replication.aclSync.principals[0]: "me" is not one principal',
      'replication.configSync.exclude[0]: invalid regular expression: unterminated character class',
      'replication.naming: expected identity, prefixed, or a template that contains {topic}',
      'topics[0].match: invalid regular expression: unterminated group',
      'topics[1]: nothing is selected',
      'topics[2]: "name" and "match" exclude each other',
      'topics[3].name: "a b" cannot be a topic name: Kafka allows letters, digits, ".", "_" and "-"',
      'topics[4].exclude: "exclude" has nothing to leave out of one exact name',
    ])
  })

  const table: [string, TopologySpec, RegExp][] = [
    ['automatic failover without a witness', pair({ failover: { mode: 'automatic' } }), /needs a witness/],
    [
      'a pair of two actives',
      pair({ regions: { a: { role: 'active' }, b: { role: 'active' } } }),
      /^regions: .* not 2/,
    ],
    ['a pair with a region without role', pair({ regions: { a: { role: 'active' }, b: {} } }), /role of "b"/],
    ['a mesh of one', pair({ pattern: 'active-active', regions: { a: {} } }), /at least two peers/],
    [
      'a mesh with an active',
      pair({ pattern: 'active-active', regions: { a: {}, b: { role: 'active' } } }),
      /peers/,
    ],
    ['a custom topology without flows', pair({ pattern: 'custom' }), /at least one flow/],
    ['a pair without topics', pair({ topics: [] }), /^topics: no topics are selected/],
    [
      'settings for a flow that a pair does not make',
      pair({ flows: [{ source: 'eu-west', target: 'us-east' }] }),
      /makes no flow/,
    ],
    ['an expression over the limit', pair({ topics: [{ match: 'a'.repeat(1_001) }] }), /limit is 1000/],
    ['an expression that only its anchors close', pair({ topics: [{ match: 'a)|(b' }] }), /unmatched/],
    ["Java's quoting", pair({ topics: [{ match: '\\Qa.b\\E' }] }), /invalid escape/],
    ['two {topic}', pair({ replication: { naming: '{topic}{topic}' } }), /once/],
    ['characters that topics cannot have', pair({ replication: { naming: '{source}/{topic}' } }), /made of/],
    [
      'a copy whose name is too long',
      pair({ topics: [{ name: 'x'.repeat(245) }], replication: { naming: 'prefixed' } }),
      /impossible name/,
    ],
  ]
  for (const [what, spec, expected] of table) {
    test(what, () => {
      const problems = problemsOf(spec)
      assert.equal(problems.length, 1, problems.join('\n'))
      assert.match(problems[0]!, expected)
    })
  }

  test('names that brokers take for one are a warning', () => {
    const result = resolveTopology(pair({ topics: [{ name: 'a.b' }, { name: 'a_b' }] }))
    assert.ok(result.ok)
    assert.match(result.warnings[0]?.message ?? '', /cannot hold both "a.b" and "a_b"/)
  })

  test('two regions of one alias cannot be declared', () => {
    const peers = [{ alias: 'a' }, { alias: 'a' }]
    assert.throws(() => activeActiveMesh({ name: 'm', peers, topics: [{ name: 't' }] }), /two regions/)
  })
})
