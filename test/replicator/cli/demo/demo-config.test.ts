import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bootstrapVariable, readDemoConfig } from '../../../../replicator/cli/demo/replicate-live.ts'
import { planWorkload } from '../../../../replicator/cli/demo/workload-plan.ts'
import { compileTopics } from '../../../../replicator/topology/selection.ts'

test('causeway.yaml of the demo declares one flow from us-east to eu-west, at the addresses given', () => {
  const config = readDemoConfig({ 'us-east': ['127.0.0.1:1', '127.0.0.1:2'], 'eu-west': ['127.0.0.1:3'] })
  assert.equal(config.topology.pattern, 'active-passive')
  assert.deepEqual(
    config.topology.flows.map(({ id }) => String(id)),
    ['us-east->eu-west'],
  )
  const bootstrap = config.topology.regions.map(({ alias }) => config.connections.get(alias)?.bootstrap)
  assert.deepEqual(bootstrap, [['127.0.0.1:1', '127.0.0.1:2'], ['127.0.0.1:3']])
  assert.equal(bootstrapVariable('us-east'), 'US_EAST_BOOTSTRAP')
})

test('its topology selects every topic that the workload writes', () => {
  const config = readDemoConfig({ 'us-east': ['127.0.0.1:1'], 'eu-west': ['127.0.0.1:2'] })
  const matcher = compileTopics(config.topology.flows[0]?.topics ?? [])
  const left = planWorkload(1_000).topics.filter(({ name }) => !matcher.topic(name))
  assert.deepEqual(left, [])
})
