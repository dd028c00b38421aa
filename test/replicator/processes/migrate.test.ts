import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { loadConfig } from '../../../replicator/config/load-config.ts'
import { type MirrorMakerNames, mirrorMakerOf } from '../../../replicator/processes/migrate.ts'

function mirrorMaker(path: string, text: string, names: MirrorMakerNames = {}) {
  const loaded = loadConfig({ path, readFile: () => Buffer.from(text), environment: {} })
  assert.ok(loaded.ok, JSON.stringify(loaded))
  const [flow] = loaded.config.topology.flows
  assert.ok(flow)
  return mirrorMakerOf(loaded.config, flow, names)
}

const dedicated = (more = '') => `clusters = A, B
A.bootstrap.servers = a:9092
B.bootstrap.servers = b:9092
A->B.enabled = true
A->B.topics = orders
${more}
`
const connectors = (more: object = {}) =>
  JSON.stringify({
    connectors: [
      {
        name: 'a-to-b',
        'connector.class': 'org.apache.kafka.connect.mirror.MirrorSourceConnector',
        'source.cluster.alias': 'A',
        'target.cluster.alias': 'B',
        'source.cluster.bootstrap.servers': 'a:9092',
        'target.cluster.bootstrap.servers': 'b:9092',
        topics: 'orders',
        ...more,
      },
    ],
  })
const yaml = JSON.stringify({
  name: 'shop',
  pattern: 'active-passive',
  regions: {
    'us-east': { role: 'active', bootstrap: ['a:9092'] },
    'eu-west': { role: 'passive', bootstrap: ['b:9092'] },
  },
  topics: [{ name: 'orders' }],
})
const heartbeats = { topic: 'heartbeats', intervalMs: 1000 }

describe('the MirrorMaker 2 of a flow', () => {
  test('in dedicated mode', () => {
    assert.deepEqual(mirrorMaker('mm2.properties', dedicated()), {
      ...{ source: 'A', connector: 'MirrorSourceConnector', heartbeats },
      ...{ offsetsTopic: 'mm2-offsets.A.internal', connectGroup: 'A-mm2' },
    })
    const slow = dedicated('B.offset.storage.topic = kept\nA->B.emit.heartbeats.interval.seconds = 7')
    const found = mirrorMaker('mm2.properties', slow)
    assert.deepEqual([found?.offsetsTopic, found?.heartbeats.intervalMs], ['kept', 7000])
  })

  test('on a Connect cluster, of which the file does not tell all', () => {
    assert.equal(mirrorMaker('connectors.yaml', connectors()), undefined)
    const own = { 'offsets.storage.topic': 'own-offsets' }
    assert.equal(mirrorMaker('connectors.yaml', connectors(own))?.offsetsTopic, 'own-offsets')
    const said = { offsetsTopic: 'connect-offsets', connectGroup: 'workers' }
    assert.deepEqual(mirrorMaker('connectors.yaml', connectors(), said), {
      ...{ source: 'A', connector: 'a-to-b', offsetsTopic: 'connect-offsets', connectGroup: 'workers' },
      heartbeats,
    })
    const alone = mirrorMaker('connectors.yaml', connectors(), { offsetsTopic: 'connect-offsets' })
    assert.equal(alone?.connectGroup, undefined, 'nobody says who the workers are')
  })

  test('of a causeway.yaml', () => {
    assert.equal(mirrorMaker('causeway.yaml', yaml)?.offsetsTopic, 'mm2-offsets.us-east.internal')
    assert.deepEqual(mirrorMaker('causeway.yaml', yaml, { alias: 'A', connector: 'c' }), {
      ...{ source: 'A', connector: 'c', heartbeats },
      ...{ offsetsTopic: 'mm2-offsets.A.internal', connectGroup: 'A-mm2' },
    })
  })
})
