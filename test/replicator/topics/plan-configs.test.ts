import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { ConfigSource, TopicConfigChange, TopicConfigEntry } from '../../../replicator/kafka/cluster.ts'
import {
  type ConfigRules,
  configExclusion,
  configsForCreation,
  configsUnknownToTarget,
  planConfigChanges,
} from '../../../replicator/topics/plan-configs.ts'
import { configExclude } from '../../../replicator/topology/defaults.ts'

const fromTarget: ConfigRules = { excluded: configExclusion(configExclude), defaultsFrom: 'target' }
const fromSource: ConfigRules = { ...fromTarget, defaultsFrom: 'source' }

function entry(
  name: string,
  value: string | undefined,
  source: ConfigSource,
  flags: { readOnly?: boolean; sensitive?: boolean } = {},
): TopicConfigEntry {
  return { name, value, source, readOnly: flags.readOnly ?? false, sensitive: flags.sensitive ?? false }
}

describe('planConfigChanges', () => {
  const cases: readonly {
    title: string
    source: TopicConfigEntry
    target: TopicConfigEntry
    changes: readonly TopicConfigChange[]
    rules?: ConfigRules
  }[] = [
    {
      title: 'sets what the source topic sets',
      source: entry('retention.ms', '5', 'topic'),
      target: entry('retention.ms', '7', 'default'),
      changes: [{ kind: 'set', name: 'retention.ms', value: '5' }],
    },
    {
      title: 'sets what the target only has by its default',
      source: entry('retention.ms', '5', 'topic'),
      target: entry('retention.ms', '5', 'default'),
      changes: [{ kind: 'set', name: 'retention.ms', value: '5' }],
    },
    {
      title: 'sends nothing when equal',
      source: entry('retention.ms', '5', 'topic'),
      target: entry('retention.ms', '5', 'topic'),
      changes: [],
    },
    {
      title: 'deletes what is back at its default on the source',
      source: entry('retention.ms', '7', 'default'),
      target: entry('retention.ms', '5', 'topic'),
      changes: [{ kind: 'delete', name: 'retention.ms' }],
    },
    {
      title: 'deletes nothing that the target topic does not set',
      source: entry('retention.ms', '7', 'default'),
      target: entry('retention.ms', '9', 'broker-static'),
      changes: [],
    },
    {
      title: "sets the source's default where asked to",
      source: entry('retention.ms', '7', 'default'),
      target: entry('retention.ms', '9', 'broker-static'),
      changes: [{ kind: 'set', name: 'retention.ms', value: '7' }],
      rules: fromSource,
    },
    {
      title: "sends nothing when the source's default already holds",
      source: entry('retention.ms', '7', 'default'),
      target: entry('retention.ms', '7', 'default'),
      changes: [],
      rules: fromSource,
    },
    {
      title: "follows values from the source's dynamic broker configs, as MirrorMaker 2 does",
      source: entry('retention.ms', '5', 'broker-dynamic-default'),
      target: entry('retention.ms', '7', 'default'),
      changes: [{ kind: 'set', name: 'retention.ms', value: '5' }],
    },
    {
      title: "leaves values from the source brokers' files",
      source: entry('retention.ms', '5', 'broker-static'),
      target: entry('retention.ms', '7', 'topic'),
      changes: [],
    },
    {
      title: 'leaves read-only configs',
      source: entry('x', '5', 'topic', { readOnly: true }),
      target: entry('x', '7', 'topic'),
      changes: [],
    },
    {
      title: 'leaves sensitive configs',
      source: entry('x', undefined, 'topic', { sensitive: true }),
      target: entry('x', undefined, 'topic', { sensitive: true }),
      changes: [],
    },
    {
      title: 'leaves excluded configs that the source sets',
      source: entry('min.insync.replicas', '2', 'topic'),
      target: entry('min.insync.replicas', '1', 'default'),
      changes: [],
    },
    {
      title: 'leaves excluded configs that the target sets',
      source: entry('min.insync.replicas', '1', 'default'),
      target: entry('min.insync.replicas', '2', 'topic'),
      changes: [],
    },
  ]
  for (const { title, source, target, changes, rules } of cases) {
    test(title, () => assert.deepEqual(planConfigChanges([source], [target], rules ?? fromTarget), changes))
  }

  test('names what the target does not know, and never sends it', () => {
    const source = [entry('new.in.4', 'yes', 'topic'), entry('other.new', 'x', 'default')]
    assert.deepEqual(planConfigChanges(source, [], fromTarget), [])
    assert.deepEqual(configsUnknownToTarget(source, [], fromTarget), ['new.in.4'])
  })

  test('exclusions are anchored', () => {
    const excluded = configExclusion(['retention'])
    assert.equal(excluded('retention'), true)
    assert.equal(excluded('retention.ms'), false)
  })
})

describe('config properties', () => {
  const sources: readonly ConfigSource[] = [
    'topic',
    'broker-dynamic',
    'broker-dynamic-default',
    'broker-static',
    'default',
    'unknown',
  ]
  const names = ['a', 'b', 'c', 'min.insync.replicas']
  const entries = fc
    .record({
      values: fc.array(fc.constantFrom('1', '2'), { minLength: 4, maxLength: 4 }),
      sources: fc.array(fc.constantFrom(...sources), { minLength: 4, maxLength: 4 }),
    })
    .map((drawn) => names.map((name, i) => entry(name, drawn.values[i] ?? '', drawn.sources[i] ?? 'topic')))
  const rules = fc.constantFrom(fromTarget, fromSource)

  test('after the changes nothing is left to change', () => {
    fc.assert(
      fc.property(entries, entries, rules, (source, target, chosen) => {
        const after = apply(target, planConfigChanges(source, target, chosen))
        assert.deepEqual(planConfigChanges(source, after, chosen), [])
      }),
    )
  })

  test('a topic created with its configs needs no change', () => {
    fc.assert(
      fc.property(entries, entries, rules, (source, drawn, chosen) => {
        const defaults = drawn.map((e) => ({ ...e, source: 'default' as const }))
        const created = defaults.map((e) => {
          const value = configsForCreation(source, chosen).get(e.name)
          return value === undefined ? e : { ...e, value, source: 'topic' as const }
        })
        assert.deepEqual(planConfigChanges(source, created, chosen), [])
      }),
    )
  })

  function apply(target: readonly TopicConfigEntry[], changes: readonly TopicConfigChange[]) {
    return target.map((e): TopicConfigEntry => {
      const change = changes.find((c) => c.name === e.name)
      if (change === undefined) return e
      if (change.kind === 'delete') return { ...e, value: 'default', source: 'default' }
      return { ...e, value: change.value, source: 'topic' }
    })
  }
})
