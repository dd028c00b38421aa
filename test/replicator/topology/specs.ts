import fc from 'fast-check'
import type { TopologySpec } from '../../../replicator/topology/spec.ts'

/** Generators of sound topology specs. */

export const alias = fc.stringMatching(/^[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,4})?$/)

export const topicName = fc
  .stringMatching(/^[a-z][a-zA-Z0-9._-]{0,20}$/)
  .filter((name) => !name.startsWith('causeway.') && !/internal$/.test(name))

const topics = fc.array(
  fc.oneof(
    fc.record({ name: topicName }),
    fc.record({ prefix: topicName }),
    fc.record({ match: fc.constantFrom('.*', 'orders\\..*', '[a-z]+') }),
    fc.record({
      match: fc.constant('.*'),
      exclude: fc.constant('tmp\\..*'),
      partitionRange: fc.constant({ from: 0, to: 3 }),
    }),
  ),
  { minLength: 1, maxLength: 4 },
)

const duration = fc.constantFrom('500ms', '5s', '2m', '1h')

const replication = fc.record(
  {
    // Prefixed never collides and never loops, so that every generated topology is sound.
    naming: fc.constantFrom('prefixed', '{source}.{topic}'),
    replicationFactor: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constant('broker-default' as const)),
    startAt: fc.constantFrom('earliest' as const, 'latest' as const),
    shards: fc.integer({ min: 1, max: 64 }),
    placement: fc.constantFrom('source' as const, 'target' as const),
    configSync: fc.record(
      {
        mode: fc.constantFrom('follow' as const, 'off' as const),
        exclude: fc.array(fc.constantFrom('retention\\..*', 'max\\.message\\.bytes')),
        defaultsFrom: fc.constantFrom('target' as const, 'source' as const),
      },
      { requiredKeys: [] },
    ),
    aclSync: fc.record(
      {
        mode: fc.constantFrom('off' as const, 'report' as const, 'sync' as const),
        principals: fc.array(fc.constantFrom('User:replicator', 'User:CN=mirror')),
      },
      { requiredKeys: [] },
    ),
    paused: topics,
    mirrorMakerTopics: fc.boolean(),
  },
  { requiredKeys: [] },
)

const shared = fc
  .record(
    {
      name: alias,
      topics,
      groups: fc.array(fc.record({ match: fc.constant('.*') }), { maxLength: 2 }),
      objectives: fc.record({ rpo: duration, rto: duration }, { requiredKeys: [] }),
      failover: fc.record({ mode: fc.constantFrom('manual' as const, 'off' as const) }, { requiredKeys: [] }),
      replication,
    },
    { requiredKeys: ['name', 'topics'] },
  )
  .map((spec) => ({ ...spec, replication: { naming: 'prefixed', ...spec.replication } }))

const aliases = (min: number, max: number) => fc.uniqueArray(alias, { minLength: min, maxLength: max })

export const pairSpec: fc.Arbitrary<TopologySpec> = fc
  .tuple(shared, aliases(2, 3))
  .map(([rest, [active = '', passive = '', witness]]) => ({
    ...rest,
    pattern: 'active-passive' as const,
    regions: {
      [active]: { role: 'active' as const },
      [passive]: { role: 'passive' as const },
      ...(witness === undefined ? {} : { [witness]: { role: 'witness' as const } }),
    },
  }))

export const meshSpec: fc.Arbitrary<TopologySpec> = fc.tuple(shared, aliases(2, 5)).map(([rest, peers]) => ({
  ...rest,
  pattern: 'active-active' as const,
  regions: Object.fromEntries(peers.map((peer) => [peer, { role: 'peer' as const }])),
}))

export const hubSpec: fc.Arbitrary<TopologySpec> = fc
  .tuple(shared, aliases(3, 5))
  .map(([rest, [hub = '', ...spokes]]) => ({
    ...rest,
    pattern: 'custom' as const,
    regions: Object.fromEntries([hub, ...spokes].map((one) => [one, {}])),
    flows: [
      { source: spokes, target: hub, shards: 3 },
      { source: hub, target: spokes, topics: [{ name: 'prices' }] },
    ],
  }))

export const anySpec = fc.oneof(pairSpec, meshSpec, hubSpec)
