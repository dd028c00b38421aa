import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { leftOutBy } from '../../../replicator/provenance/left-out.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import { resolveTopology } from '../../../replicator/topology/resolve-topology.ts'
import type { FlowSpec } from '../../../replicator/topology/spec.ts'

/** Whether the first flow leaves out what each of these flows wrote to its source. */
function verdicts(flows: readonly FlowSpec[], writers: readonly (readonly [string, string])[]) {
  const regions = { a: {}, b: {}, c: {} }
  const resolved = resolveTopology({ name: 't', regions, topics: [{ name: 'x' }], flows })
  assert(resolved.ok)
  const [flow] = resolved.topology.flows
  assert(flow)
  const isLeftOut = leftOutBy(resolved.topology, flow)
  return writers.map(([source, target]) =>
    isLeftOut?.({
      producerId: 1n,
      flow: flowId(regionAlias(source), regionAlias(target)),
      shard: 0,
      progressTopicId: undefined,
    }),
  )
}

const naming = 'identity'
const writers = [
  ['b', 'a'],
  ['c', 'a'],
] as const

describe('what a flow leaves out', () => {
  test('every copy, when it flows both ways', () => {
    const flows = [
      { source: 'a', target: 'b', naming },
      { source: 'b', target: 'a', naming },
    ]
    assert.deepEqual(verdicts(flows, writers), [true, true])
  })

  test('what came from its own target, when a pair was turned round; not what a chain hands on', () => {
    assert.deepEqual(verdicts([{ source: 'a', target: 'b', naming }], writers), [true, false])
  })

  test('nothing to ask where names tell', () => {
    assert.deepEqual(verdicts([{ source: 'a', target: 'b', naming: 'prefixed' }], writers), [
      undefined,
      undefined,
    ])
  })
})
