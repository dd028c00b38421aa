import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Flow } from '../../../../replicator/topology/model.ts'
import { base, configOf, loadFile, loadLines, notesOf, problemsOf, warningsOf } from './mm2-files.ts'

function flowsOf(lines: string): readonly Flow[] {
  return configOf(loadLines(lines)).topology.flows
}

function flow(lines: string): Flow {
  const found = flowsOf(lines)[0]
  assert.ok(found)
  return found
}

describe('which key wins', () => {
  test('behind the flow before everything else', () => {
    const lines = 'replication.factor = 2\nA->B.replication.factor = 3\n'
    assert.equal(flow(lines).replicationFactor, 3)
    assert.equal(flow('A->B.replication.factor = 3\nreplication.factor = 2\n').replicationFactor, 3)
    assert.equal(flow('replication.factor = 2\nB->A.replication.factor = 3\n').replicationFactor, 2)
  })

  test("a connector's key behind a cluster is not read", () => {
    assert.equal(flow('B.replication.factor = 3\n').replicationFactor, 'broker-default')
  })

  test('enabled without a prefix enables every pair, and a flow can be left out', () => {
    const text = base.replace('A->B.enabled', 'enabled')
    assert.deepEqual(
      configOf(loadFile('mm2.properties', text)).topology.flows.map(({ id }) => id),
      ['A->B', 'B->A'],
    )
    assert.deepEqual(
      configOf(loadFile('mm2.properties', `${text}B->A.enabled = false\n`)).topology.flows.map(
        ({ id }) => id,
      ),
      ['A->B'],
    )
  })

  const starts: readonly [lines: string, startAt: string][] = [
    ['', 'earliest'],
    ['A.consumer.auto.offset.reset = latest', 'latest'],
    ['B.consumer.auto.offset.reset = latest', 'earliest'],
    ['A->B.consumer.auto.offset.reset = latest', 'latest'],
    ['A->B.source.consumer.auto.offset.reset = latest', 'latest'],
    ['A->B.target.consumer.auto.offset.reset = latest', 'earliest'],
    // MirrorMaker 2's pitfall: what stands behind the cluster is nearer to the client.
    ['A.consumer.auto.offset.reset = latest\nA->B.consumer.auto.offset.reset = earliest', 'latest'],
    ['A.consumer.auto.offset.reset = latest\nA->B.source.consumer.auto.offset.reset = earliest', 'earliest'],
    ['consumer.auto.offset.reset = latest', 'earliest'],
  ]
  for (const [lines, startAt] of starts) {
    test(lines === '' ? 'nothing said' : lines.replace('\n', ' and '), () => {
      assert.equal(flow(`${lines}\n`).startAt, startAt)
    })
  }

  test('of a key written twice the last one, and that is said', () => {
    const loaded = loadLines('replication.factor = 2\nreplication.factor = 3\n')
    assert.equal(configOf(loaded).topology.flows[0]?.replicationFactor, 3)
    assert.deepEqual(notesOf(loaded), [
      'mm2.properties:5 replication.factor: not read: It is written again in line 6, and that counts, as in Java.',
    ])
  })

  test('of aliases where one begins with the other, the longer one', () => {
    const text = `clusters = us, us.east
us.bootstrap.servers = a:1
us.east.bootstrap.servers = b:2
us->us.east.enabled = true
us->us.east.topics = orders
replication.policy.separator = -
`
    const loaded = loadFile('mm2.properties', text)
    assert.deepEqual(notesOf(loaded), [])
    const { connections, topology } = configOf(loaded)
    assert.deepEqual(
      [...connections].map(([alias, { bootstrap }]) => [alias, bootstrap]),
      [
        ['us', ['a:1']],
        ['us.east', ['b:2']],
      ],
    )
    assert.equal(topology.flows[0]?.id, 'us->us.east')
    assert.deepEqual(topology.flows[0]?.topics[0], { kind: 'name', name: 'orders' })
  })
})

describe('which connection key wins', () => {
  const protocols: readonly [lines: string, a: string, b: string][] = [
    ['', 'plain', 'plain'],
    ['security.protocol = SSL', 'tls', 'tls'],
    ['A.security.protocol = SSL', 'tls', 'plain'],
    ['security.protocol = SSL\nA.security.protocol = PLAINTEXT', 'plain', 'tls'],
    [
      'A.consumer.security.protocol = SSL\nA.producer.security.protocol = SSL\nA.admin.security.protocol = SSL',
      'tls',
      'plain',
    ],
    ['A->B.source.cluster.security.protocol = SSL\nA.security.protocol = SSL', 'tls', 'plain'],
    ['A->B.security.protocol = SSL', 'plain', 'plain'],
    ['A->B.consumer.security.protocol = PLAINTEXT', 'plain', 'plain'],
    // What stands behind the cluster reaches its clients of every role, and is nearer to them.
    ['A.security.protocol = SSL\nA->B.consumer.security.protocol = PLAINTEXT', 'tls', 'plain'],
  ]
  for (const [lines, a, b] of protocols) {
    test(lines === '' ? 'nothing said' : lines.replaceAll('\n', ' and '), () => {
      const { connections } = configOf(loadLines(`${lines}\n`))
      assert.deepEqual(
        [...connections.values()].map(({ tls }) => (tls === undefined ? 'plain' : 'tls')),
        [a, b],
      )
    })
  }

  test('clients of one cluster that differ are a problem, once', () => {
    const lines = 'A.security.protocol = SSL\nA.admin.security.protocol = PLAINTEXT\n'
    assert.deepEqual(problemsOf(loadLines(lines)), [
      'mm2.properties:6:1 A.admin.security.protocol: differs from A.security.protocol (line 5): Causeway reaches a cluster in one way; say it once, for A; one principal then needs the rights of all clients',
    ])
    const flows = 'A.bootstrap.servers = a:1\nA->B.source.consumer.bootstrap.servers = a:2\n'
    assert.match(
      problemsOf(loadLines(flows))[0] ?? '',
      /^mm2\.properties:6:1 .*differs from A\.bootstrap\.servers \(line 5\)/,
    )
  })

  test("the data producer's override belongs to the target", () => {
    const lines = 'A->B.producer.override.bootstrap.servers = other:9092\n'
    assert.match(problemsOf(loadLines(lines))[0] ?? '', /differs from B\.bootstrap\.servers/)
  })
})

describe('clusters', () => {
  test('all are regions, whatever their letters', () => {
    const text = 'clusters = US_East, eu.west\nbootstrap.servers = x:1\nUS_East->eu.west.enabled = TRUE\n'
    const { topology } = configOf(loadFile('mm2.properties', text))
    assert.deepEqual(
      topology.regions.map(({ alias }) => alias),
      ['US_East', 'eu.west'],
    )
    assert.equal(topology.name, 'mm2')
    assert.equal(topology.flows[0]?.placement, 'target')
  })

  const table: readonly [what: string, text: string, problem: RegExp][] = [
    ['no clusters', 'A->B.enabled = true\n', /:1:1 missing: the key "clusters"/],
    ['none listed', 'clusters = ,\n', /:1:1 clusters: no cluster is listed/],
    [
      'an impossible alias',
      'clusters = A, ü\nbootstrap.servers=x:1\nA->\\u00fc.enabled=true\n',
      /cannot be part of a topic name/,
    ],
    [
      'no servers',
      'clusters = A, B\nA.bootstrap.servers = a:1\nA->B.enabled = true\n',
      /:1:1 clusters: no bootstrap\.servers are given for "B"/,
    ],
    ['no flow', 'clusters = A, B\nbootstrap.servers = a:1\n', /:1:1 clusters: no flow is enabled/],
    [
      'an unknown cluster',
      `${base}A->C.enabled = true\n`,
      /:5:1 A->C\.enabled: "clusters" lists no cluster "C"; did you mean/,
    ],
    [
      'a server without its port',
      'clusters = A, B\nbootstrap.servers = a\nA->B.enabled = true\n',
      /:2:1 bootstrap\.servers: expected host:port/,
    ],
    [
      'a name that Causeway cannot use',
      `${base}causeway.name = My_Name\n`,
      /:5:1 causeway\.name: .*cannot name a topology/,
    ],
  ]
  for (const [what, text, problem] of table) {
    test(what, () => {
      const problems = problemsOf(loadFile('mm2.properties', Buffer.from(text, 'latin1')))
      assert.equal(problems.length, 1, problems.join('\n'))
      assert.match(problems[0] ?? '', problem)
    })
  }

  test('every problem at once, in the order of the file', () => {
    const problems = problemsOf(
      loadLines(
        'topics = a++\nreplication.factor = x\nA->B.transforms = t\ntopics.exlude = b\nA.security.protocol = no\n',
      ),
    )
    assert.deepEqual(
      problems.map((problem) => problem.split(' ')[0]),
      [
        'mm2.properties:5:1',
        'mm2.properties:6:1',
        'mm2.properties:7:1',
        'mm2.properties:8:1',
        'mm2.properties:9:1',
      ],
    )
    assert.match(problems[3] ?? '', /topics\.exlude: an unknown key; did you mean "topics\.exclude"\?/)
  })

  test('keys that nobody knows are noted', () => {
    assert.deepEqual(notesOf(loadLines('acme.team = payments\nA->B.acme = x\nB.acme = x\n')), [
      'mm2.properties:5 acme.team: not read: Neither MirrorMaker 2 nor Causeway knows this key.',
      'mm2.properties:6 A->B.acme: not read: Neither MirrorMaker 2 nor Causeway knows this key.',
      'mm2.properties:7 B.acme: not read: Neither MirrorMaker 2 nor Causeway knows this key.',
    ])
  })

  test('what is far from every key is noted with the nearest one', () => {
    assert.deepEqual(notesOf(loadLines('A.consumer.fetch.maximal.bytes = 1\n')), [
      'mm2.properties:5 A.consumer.fetch.maximal.bytes: not read: Neither MirrorMaker 2 nor Causeway knows this key; the nearest that is known is "consumer.fetch.max.bytes".',
    ])
    assert.match(
      problemsOf(loadLines('causeway.zzz.qqq = 1\n'))[0] ?? '',
      /:5:1 causeway\.zzz\.qqq: an unknown key/,
    )
  })

  test('a topic that is listed and excluded is told', () => {
    const loaded = loadLines('topics = orders, orders-old\ntopics.exclude = .*-old\n')
    assert.deepEqual(warningsOf(loaded), [
      'mm2.properties:5:1 topics: "orders-old" is listed and excluded at the same time: it is left out',
    ])
  })
})

describe('what Causeway alone is told', () => {
  test('is read from keys that MirrorMaker 2 skips', () => {
    const lines =
      'causeway.name = payments\ncauseway.http.port = 0\ncauseway.http.host = 127.0.0.1\ncauseway.shards = 4\ncauseway.discoveryInterval = 5s\ncauseway.limits.bufferBytes = 64MiB\ncauseway.replicas.instanceId = pod-1\n'
    const loaded = loadLines(lines)
    const { topology, http, discoveryIntervalMs, limits, replicas, connections } = configOf(loaded)
    assert.equal(topology.name, 'payments')
    assert.deepEqual(http, { port: 0, host: '127.0.0.1' })
    assert.equal(topology.flows[0]?.shards, 4)
    assert.equal(discoveryIntervalMs, 5_000)
    assert.equal(limits.bufferBytesMax, 64 * 1_048_576)
    assert.equal(replicas.instanceId, 'pod-1')
    assert.deepEqual(
      [...connections.values()].map(({ clientId }) => clientId),
      ['causeway-payments', 'causeway-payments'],
    )
    assert.deepEqual(notesOf(loaded), [])
  })

  test('and refused where it is wrong', () => {
    const lines =
      'causeway.http.port = x\ncauseway.nme = y\ncauseway.limits.bufferBytes = 1 cup\ncauseway.shards = 0\n'
    assert.deepEqual(
      problemsOf(loadLines(lines)).map((problem) => problem.split(':').slice(1, 4).join(':')),
      [
        '5:1 causeway.http.port: expected a number, found a text',
        '6:1 causeway.nme: an unknown key; did you mean "causeway.name"?',
        '7:1 causeway.limits.bufferBytes: not a size above zero; write a number with B, KiB, MiB or GiB, such as 96MiB',
        '8:1 causeway.shards: too small',
      ],
    )
  })
})

test("where Connect's offsets are kept is carried for whoever takes over", () => {
  const stored = (lines: string) => {
    const [flow] = configOf(loadLines(lines)).mirrorMaker?.flows.values() ?? []
    return flow?.storedOffsets
  }
  const connector = 'MirrorSourceConnector'
  assert.deepEqual(stored(''), { connector, topic: 'mm2-offsets.A.internal' })
  assert.deepEqual(stored('B.offset.storage.topic = x\n'), { connector, topic: 'x' })
  assert.deepEqual(stored('B.offset.storage.topic = x\noffset.storage.topic = y\n'), {
    connector,
    topic: 'y',
  })
})

describe('naming', () => {
  test('two-way pairs under one name leave configs alone and rename heartbeats', () => {
    const lines =
      'B->A.enabled = true\nreplication.policy.class = org.apache.kafka.connect.mirror.IdentityReplicationPolicy\n'
    const [first, second] = flowsOf(lines)
    assert.equal(first?.placement, 'source')
    assert.equal(first?.configSync.mode, 'off')
    assert.equal(second?.configSync.mode, 'off')
    const exclude = 'mm2.*\\.internal|.*\\.replica|__.*|(?:.+\\.)?heartbeats'
    assert.deepEqual(first?.topics, [{ kind: 'match', match: '.*', exclude }])
    assert.equal(first?.copiesHeartbeats, true)
    assert.equal(flowsOf(`${lines}heartbeats.replication.enabled = false\n`)[0]?.copiesHeartbeats, undefined)
    assert.equal(
      flowsOf(`${lines}heartbeats.replication.enabled = false\ntopics = a, heartbeats\n`)[0]
        ?.copiesHeartbeats,
      true,
    )
  })

  test('a separator is in the names of internal topics, too', () => {
    const { mirrorMaker } = configOf(loadLines('replication.policy.separator = _\n'))
    const [flow] = mirrorMaker?.flows.values() ?? []
    assert.equal(flow?.offsetSyncs.topic, 'mm2-offset-syncs_B_internal')
    assert.equal(flow?.checkpoints.topic, 'A_checkpoints_internal')
  })
})
