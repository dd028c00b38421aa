import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Flow } from '../../../replicator/topology/model.ts'
import { resolveTopology } from '../../../replicator/topology/resolve-topology.ts'
import type { TopologySpec } from '../../../replicator/topology/spec.ts'
import { writesAlone } from '../../../replicator/topology/writes-alone.ts'

function judged(spec: TopologySpec): Readonly<Record<string, boolean>> {
  const resolved = resolveTopology(spec)
  assert.ok(resolved.ok, JSON.stringify(resolved))
  const { topology } = resolved
  return Object.fromEntries(topology.flows.map((flow: Flow) => [flow.id, writesAlone(topology, flow)]))
}

const pair = { a: { role: 'peer' }, b: { role: 'peer' } } as const
const flow = (source: string, target: string, naming: string) => ({ source, target, naming })

describe('whether a flow writes alone', () => {
  test('into a passive region: yes', () => {
    const spec = {
      name: 't',
      pattern: 'active-passive',
      regions: { a: { role: 'active' }, b: { role: 'passive' } },
      topics: [{ name: 'orders' }],
    }
    assert.deepEqual(judged(spec as TopologySpec), { 'a->b': true })
  })

  test('names with the source in them: yes, in both directions', () => {
    const flows = [flow('a', 'b', 'prefixed'), flow('b', 'a', 'prefixed')]
    const spec = { name: 't', pattern: 'custom', regions: pair, topics: [{ match: '.*' }], flows }
    assert.deepEqual(judged(spec as unknown as TopologySpec), { 'a->b': true, 'b->a': true })
  })

  test('the same names in both directions: no', () => {
    const flows = [flow('a', 'b', 'identity'), flow('b', 'a', 'identity')]
    const spec = { name: 't', pattern: 'custom', regions: pair, topics: [{ name: 'orders' }], flows }
    assert.deepEqual(judged(spec as unknown as TopologySpec), { 'a->b': false, 'b->a': false })
  })

  test('the same name where another flow takes the topic on: no; other topics do not matter', () => {
    const back = { ...flow('b', 'a', 'prefixed'), topics: [{ name: 'orders' }] }
    const flows = [{ ...flow('a', 'b', 'identity'), topics: [{ name: 'orders' }] }, back]
    const spec = { name: 't', pattern: 'custom', regions: pair, flows }
    assert.deepEqual(judged(spec as unknown as TopologySpec), { 'a->b': false, 'b->a': true })
    const others = [flows[0], { ...back, topics: [{ name: 'refunds' }] }]
    assert.deepEqual(judged({ ...spec, flows: others } as unknown as TopologySpec), {
      'a->b': true,
      'b->a': true,
    })
  })
})
