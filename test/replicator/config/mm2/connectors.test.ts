import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { configOf, loadFile, notesOf, problemsOf } from './mm2-files.ts'

const load = (text: string, environment: Readonly<Record<string, string>> = {}) =>
  loadFile('connectors.yaml', text, { environment })

/** Two clusters and a connector, as Kafka Connect is given them. */
const flat = `connectors:
  - name: orders-a-to-b
    connector.class: org.apache.kafka.connect.mirror.MirrorSourceConnector
    tasks.max: 4
    source.cluster.alias: A
    target.cluster.alias: B
    source.cluster.bootstrap.servers: a.example:9092
    target.cluster.bootstrap.servers: b.example:9092
    topics: [orders, 'ledger\\..*']
    replication.factor: 3
`

describe('a list of connectors', () => {
  test('with the keys beside the name', () => {
    const loaded = load(flat)
    const { topology, connections, mirrorMaker } = configOf(loaded)
    assert.deepEqual(
      topology.regions.map(({ alias }) => alias),
      ['A', 'B'],
    )
    const [flow] = topology.flows
    assert.equal(flow?.id, 'A->B')
    assert.equal(flow.replicationFactor, 3)
    assert.deepEqual(flow.naming, { kind: 'prefixed', separator: '.' })
    assert.deepEqual(flow.topics.slice(0, 2), [
      { kind: 'name', name: 'orders' },
      { kind: 'match', match: 'ledger\\..*', exclude: 'mm2.*\\.internal|.*\\.replica|__.*' },
    ])
    assert.deepEqual(
      [...connections.values()].map(({ bootstrap }) => bootstrap),
      [['a.example:9092'], ['b.example:9092']],
    )
    assert.deepEqual(mirrorMaker?.heartbeats, [])
    const [carried] = mirrorMaker?.flows.values() ?? []
    assert.equal(carried?.checkpoints.isEmitted, false)
    assert.deepEqual(carried?.storedOffsets, { connector: 'orders-a-to-b', topic: undefined })
    assert.deepEqual(notesOf(loaded), [
      'connectors.yaml:2 name: not needed: Connectors need no names here; a flow is known by its regions.',
      'connectors.yaml:4 tasks.max: not needed: There are no tasks: one process works on all partitions, and replicas share a flow by its shards.',
    ])
  })

  test('with the keys under config, as Connect and Strimzi write it, and with all three connectors', () => {
    const text = `name: payments
http: { port: 0 }
connectors:
  - name: source
    class: org.apache.kafka.connect.mirror.MirrorSourceConnector
    tasksMax: 2
    config: &clusters
      source.cluster.alias: us-east
      target.cluster.alias: eu-west
      source.cluster.bootstrap.servers: a:1
      target.cluster.bootstrap.servers: b:1
      topics: payments
      sync.topic.configs.enabled: false
      producer.override.compression.type: lz4
      source.consumer.auto.offset.reset: latest
  - name: checkpoint
    connector.class: MirrorCheckpointConnector
    config:
      <<: *clusters
      groups: shop.*
      sync.group.offsets.enabled: true
      emit.checkpoints.interval.seconds: 10
  - name: heartbeat
    config:
      <<: *clusters
      connector.class: org.apache.kafka.connect.mirror.MirrorHeartbeatConnector
      heartbeats.topic.replication.factor: 1
`
    const { topology, mirrorMaker, http } = configOf(load(text))
    assert.equal(topology.name, 'payments')
    assert.equal(http.port, 0)
    const [flow] = topology.flows
    assert.equal(flow?.startAt, 'latest')
    assert.equal(flow?.configSync.mode, 'off')
    const groups = [{ kind: 'match', match: 'shop.*', exclude: 'console-consumer-.*|connect-.*|__.*' }]
    assert.deepEqual(flow?.groups, groups)
    const [carried] = mirrorMaker?.flows.values() ?? []
    assert.deepEqual(carried?.checkpoints, {
      isEmitted: true,
      intervalMs: 10_000,
      topic: 'us-east.checkpoints.internal',
      replicationFactor: 3,
      groups,
    })
    assert.equal(carried?.syncsGroups, true)
    assert.deepEqual(mirrorMaker?.heartbeats, [
      { source: 'us-east', target: 'eu-west', topic: 'heartbeats', intervalMs: 1_000, replicationFactor: 1 },
    ])
  })

  test('both directions, each with its connector', () => {
    const back = flat
      .replace('connectors:\n', '')
      .replaceAll(/cluster\.alias: (.)/g, (_, alias) => `cluster.alias: ${alias === 'A' ? 'B' : 'A'}`)
      .replace('a.example', 'other')
      .replace('b.example', 'a.example')
      .replace('other', 'b.example')
    const { topology } = configOf(load(flat + back))
    assert.deepEqual(
      topology.flows.map(({ id }) => id),
      ['A->B', 'B->A'],
    )
  })

  test('references of the usual names, and layers of clients', () => {
    const text = `${flat}    source.cluster.security.protocol: SASL_SSL
    source.cluster.sasl.mechanism: PLAIN
    source.cluster.sasl.jaas.config: >-
      org.apache.kafka.common.security.plain.PlainLoginModule required
      username="u" password="\${env:P}";
    consumer.auto.offset.reset: latest
    source.consumer.auto.offset.reset: earliest
`
    const { connections, topology } = configOf(load(text, { P: 'hunter2' }))
    const [source] = connections.values()
    assert.ok(source?.sasl?.mechanism === 'plain')
    assert.equal(source.sasl.password.reveal(), 'hunter2')
    assert.equal(topology.flows[0]?.startAt, 'earliest')
  })

  test("the target is known by Connect's own producer as well", () => {
    const text = flat.replace('target.cluster.bootstrap', 'producer.override.bootstrap')
    assert.deepEqual([...configOf(load(text)).connections.values()][1]?.bootstrap, ['b.example:9092'])
  })

  const wrong: readonly [what: string, text: string, problem: RegExp][] = [
    ['no list', 'connectors: {}\n', /:1:\d+ connectors: expected a list of connectors/],
    [
      'a resource of Strimzi',
      'apiVersion: kafka.strimzi.io/v1\nkind: KafkaMirrorMaker2\n',
      /:2:7 kind: a KafkaMirrorMaker2 of Strimzi's operator; put the connectors/,
    ],
    ['an empty list', 'connectors: []\n', /expected a list of connectors/],
    ['no connector', 'connectors: [x]\n', /:1:14 connectors\[0\]: expected a connector with its keys/],
    [
      'another class',
      flat.replace('MirrorSourceConnector', 'MirorSourceConnector'),
      /:3:22 connectors\[0\]\.connector\.class: not one of .*did you mean "MirrorSourceConnector"/,
    ],
    [
      'no class',
      flat.replace(/ {4}connector\.class.*\n/, ''),
      /:2:\d+ connectors\[0\]: missing: the key "connector\.class"/,
    ],
    [
      'no source',
      flat.replace(/ {4}source\.cluster\.alias.*\n/, ''),
      /missing: the key "source\.cluster\.alias"/,
    ],
    ['nested keys', `${flat}    consumer: { override: 1 }\n`, /:11:\d+ .*write the whole key with its dots/],
    [
      'a second one',
      flat + flat.replace('connectors:\n', ''),
      /:11:\d+ connectors\[1\]: a second connector of this class for A->B/,
    ],
    [
      'a misspelt key',
      flat.replace('topics:', 'topcis:'),
      /:9:\d+ connectors\[0\]\.topcis: an unknown key; did you mean "topics"/,
    ],
    ['a transform', `${flat}    transforms: x\n`, /:11:\d+ .*transforms: not possible here/],
    [
      'written twice',
      `${flat}    config: { topics: x }\n`,
      /:11:\d+ connectors\[0\]\.config\.topics: written twice, with two values/,
    ],
    [
      'a key of causeway.yaml',
      `${flat}topics: [{ name: x }]\n`,
      /:11:1 topics: unknown key "topics"; beside connectors stand/,
    ],
    ['a wrong name', `${flat}name: Payments\n`, /:11:7 name: .*cannot name a topology/],
    ['a wrong port', `${flat}http: { port: x }\n`, /:11:\d+ http\.port: expected a number/],
    [
      'no servers',
      flat.replace(/ {4}target\.cluster\.bootstrap.*\n/, ''),
      /:6:\d+ .*no bootstrap\.servers are given for "B"/,
    ],
    ['disabled', `${flat}    enabled: false\n`, /no flow is enabled/],
    ['a key twice', `${flat}    topics: x\n`, /:11:5 this key is written twice in one mapping/],
  ]
  for (const [what, text, problem] of wrong) {
    test(what, () => {
      const problems = problemsOf(load(text))
      assert.ok(problems.length >= 1)
      assert.match(problems[0] ?? '', problem)
      assert.equal(problems.length, 1, problems.join('\n'))
    })
  }
})
