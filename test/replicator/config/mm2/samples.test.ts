import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { configOf, loadFile, notesOf, problemsOf } from './mm2-files.ts'

describe('files as they are', () => {
  test('connect-mirror-maker.properties, as Apache Kafka ships it', () => {
    const text = `# Licensed to the Apache Software Foundation (ASF) under A or more
# see org.apache.kafka.clients.consumer.ConsumerConfig for more details

# Sample MirrorMaker 2.0 top-level configuration file
# Run with ./bin/connect-mirror-maker.sh connect-mirror-maker.properties

# specify any number of cluster aliases
clusters = A, B

# connection information for each cluster
# This is a comma separated host:port pairs for each cluster
# for e.g. "A_host1:9092, A_host2:9092, A_host3:9092"
A.bootstrap.servers = A_host1:9092, A_host2:9092, A_host3:9092
B.bootstrap.servers = B_host1:9092, B_host2:9092, B_host3:9092

# enable and configure individual replication flows
A->B.enabled = true

# regex which defines which topics gets replicated. For eg "foo-.*"
A->B.topics = .*

B->A.enabled = true
B->A.topics = .*

# Setting replication factor of newly created remote topics
replication.factor=1

############################# Internal Topic Settings  #############################
checkpoints.topic.replication.factor=1
heartbeats.topic.replication.factor=1
offset-syncs.topic.replication.factor=1

# The replication factor for connect internal topics.
offset.storage.replication.factor=1
status.storage.replication.factor=1
config.storage.replication.factor=1

# customize as needed
# replication.policy.separator = _
# sync.topic.acls.enabled = false
# emit.heartbeats.interval.seconds = 5
`
    const loaded = loadFile('connect-mirror-maker.properties', text)
    const { topology, connections, mirrorMaker } = configOf(loaded)
    assert.deepEqual(
      topology.flows.map(({ id, replicationFactor, naming, placement }) => ({
        id,
        replicationFactor,
        naming,
        placement,
      })),
      ['A->B', 'B->A'].map((id) => ({
        ...{ id, replicationFactor: 1, placement: 'target' },
        naming: { kind: 'prefixed', separator: '.' },
      })),
    )
    assert.deepEqual([...connections.values()][0]?.bootstrap, [
      'A_host1:9092',
      'A_host2:9092',
      'A_host3:9092',
    ])
    assert.equal(mirrorMaker?.heartbeats.length, 2)
    assert.deepEqual(
      notesOf(loaded).map((note) => note.split(':').slice(1, 3).join(':')),
      [
        '34 offset.storage.replication.factor: not needed',
        '35 status.storage.replication.factor: not needed',
        '36 config.storage.replication.factor: not needed',
      ],
    )
  })

  test('active/passive with exactly-once and tuning, after the documentation of Kafka', () => {
    const text = `clusters = primary, secondary
primary.bootstrap.servers = broker3-primary:9092
secondary.bootstrap.servers = broker5-secondary:9092
primary->secondary.enabled = true
primary->secondary.topics = foobar-topic, quux-.*
primary->secondary.topics.exclude = .*-internal
primary->secondary.groups = shop, billing-.*
primary->secondary.sync.group.offsets.enabled = true
primary.consumer.isolation.level = read_committed
primary.consumer.fetch.max.bytes = 52428800
secondary.producer.compression.type = lz4
secondary.exactly.once.source.support = enabled
dedicated.mode.enable.internal.rest = true
listeners = http://localhost:8080
offset.lag.max = 50
refresh.topics.interval.seconds = 60
emit.checkpoints.interval.seconds = 30
use.defaults.from = target
tasks.max = 10
`
    const { topology } = configOf(loadFile('mm2.properties', text))
    const [flow] = topology.flows
    assert.equal(topology.flows.length, 1)
    assert.deepEqual(flow?.topics, [
      { kind: 'name', name: 'foobar-topic' },
      { kind: 'match', match: 'quux-.*', exclude: '.*-internal' },
    ])
    assert.deepEqual(flow?.groups[0], { kind: 'name', name: 'shop' })
  })

  test('fan-out to three, and a cluster that nothing goes to', () => {
    const text = `clusters: A, B, C, D
bootstrap.servers: x:1
A->B.enabled: true
A->C.enabled: true
`
    const { topology } = configOf(loadFile('mm2.properties', text))
    assert.deepEqual(
      topology.flows.map(({ id }) => id),
      ['A->B', 'A->C'],
    )
    assert.equal(topology.regions.length, 4)
  })

  test('properties are recognised without their ending, and causeway.yaml is not taken for them', () => {
    const text = 'clusters = A, B\nbootstrap.servers = x:1\nA->B.enabled = true\n'
    assert.equal(configOf(loadFile('mirror.conf', text)).topology.flows.length, 1)
    assert.match(problemsOf(loadFile('causeway.yaml', 'name: x\n'))[0] ?? '', /regions/)
    assert.match(problemsOf(loadFile('x.properties', 'name: x\n'))[0] ?? '', /missing: the key "clusters"/)
  })

  test('values are read as Java reads them, from ISO-8859-1', () => {
    const text = Buffer.from(
      'clusters=A,B\nbootstrap.servers=x:1\nA->B.enabled=true\nA->B.sync.group.offsets.enabled=true\nA->B.groups=caf\xe9\n',
      'latin1',
    )
    const { topology } = configOf(loadFile('mm2.properties', text))
    assert.deepEqual(topology.flows[0]?.groups, [{ kind: 'name', name: 'café' }])
  })
})

describe('whatever the text', () => {
  const words = [
    'clusters',
    'A',
    'B',
    '->',
    '.',
    'enabled',
    '=',
    ':',
    ' ',
    '\n',
    '\n',
    '\\\n',
    ',',
    'true',
    'topics',
    '.*',
    'a++',
    'groups',
    'exclude',
    'bootstrap.servers',
    'x:1',
    'security.protocol',
    'SASL_SSL',
    'sasl.jaas.config',
    'required',
    '"',
    ';',
    'consumer.',
    'producer.',
    'source.',
    'replication.policy.separator',
    '_',
    'config.providers',
    '${env:X}',
    '${',
    '}',
    'causeway.',
    'http.port',
    '\\u00',
    '#',
    '__proto__',
    'constructor',
    'ssl.truststore.location',
    '\0',
    'é',
  ]
  const line = fc.array(fc.constantFrom(...words), { maxLength: 10 }).map((parts) => parts.join(''))

  test('an mm2.properties gives a configuration or problems with their lines, never an exception', () => {
    const sound = 'clusters=A,B\nbootstrap.servers=x:1\nA->B.enabled=true\n'
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.boolean(), (lines, isSound) => {
        const text = (isSound ? sound : '') + lines.join('\n')
        const loaded = loadFile('mm2.properties', text)
        if (loaded.ok) return loaded.config.topology.flows.length > 0
        return loaded.problems.length > 0 && loaded.problems.every((problem) => problem.line >= 1)
      }),
      { numRuns: 1_000 },
    )
  })

  test('a list of connectors does so, too', () => {
    const scalar = fc.oneof(
      fc.constantFrom(...words),
      fc.string(),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
    )
    const keys = fc.constantFrom(
      'name',
      'connector.class',
      'class',
      'config',
      'source.cluster.alias',
      'target.cluster.alias',
      'topics',
      '__proto__',
      'source.cluster.bootstrap.servers',
      'target.cluster.bootstrap.servers',
      'enabled',
      'replication.factor',
      'x',
    )
    const config = fc.dictionary(keys, fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })), { maxKeys: 6 })
    const connector = fc.dictionary(keys, fc.oneof(scalar, config), { maxKeys: 8 })
    const connectors = fc.oneof(fc.array(fc.oneof(connector, scalar), { maxLength: 3 }), scalar)
    fc.assert(
      fc.property(connectors, fc.dictionary(fc.constantFrom('name', 'http', 'x'), scalar), (list, beside) => {
        const loaded = loadFile('connectors.yaml', JSON.stringify({ connectors: list, ...beside }))
        return loaded.ok || (loaded.problems.length > 0 && loaded.problems.every(({ line: at }) => at >= 1))
      }),
      { numRuns: 500 },
    )
  })
})
