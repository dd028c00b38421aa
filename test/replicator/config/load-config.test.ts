import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { loadConfig } from '../../../replicator/config/load-config.ts'
import { load, problemsOf, sound, warningsOf } from './files.ts'

const { head, regions, topics } = sound

describe('a sound file', () => {
  test("the design's own example: references stand unquoted in { }", () => {
    const text = [
      '# yaml-language-server: $schema=./causeway.schema.json',
      'name: payments',
      'pattern: active-passive',
      'regions:',
      '  us-east: { role: active,  bootstrap: [us-east.example:9092], security: { tls: true, sasl: { mechanism: scram-sha-512, username: causeway, password: ${env:US_EAST_PASSWORD} } } }',
      '  eu-west: { role: passive, bootstrap: [eu-west.example:9092] }',
      "topics: [{ name: payments }, { match: 'ledger\\..*', exclude: 'ledger\\.tmp\\..*' }]",
      "groups: [{ match: '.*' }]",
      'objectives: { rpo: 5s, rto: 60s }',
    ].join('\n')
    const result = load(text, { environment: { US_EAST_PASSWORD: 'hunter2' } })
    assert.ok(result.ok, problemsOf(result).join('\n'))
    const { topology, connections, limits, http, discoveryIntervalMs } = result.config
    assert.deepEqual(topology.flows[0]?.topics, [
      { kind: 'name', name: 'payments' },
      { kind: 'match', match: 'ledger\\..*', exclude: 'ledger\\.tmp\\..*' },
    ])
    const [source, target] = [...connections.values()]
    assert.deepEqual([...connections.keys()], ['us-east', 'eu-west'])
    assert.deepEqual(source?.bootstrap, ['us-east.example:9092'])
    assert.deepEqual(source?.tls, {})
    assert.ok(source?.sasl?.mechanism === 'scram-sha-512')
    assert.equal(source.sasl.password.reveal(), 'hunter2')
    assert.deepEqual(target, { bootstrap: ['eu-west.example:9092'], clientId: 'causeway-payments' })
    assert.deepEqual(limits, {
      bufferBytesMax: 100_663_296,
      fetchBytesMax: 8_388_608,
      connectionsPerBroker: 4,
    })
    assert.deepEqual(http, { port: 8480, host: '0.0.0.0' })
    assert.equal(discoveryIntervalMs, 2_000)
    assert.deepEqual(warningsOf(result), [])
  })

  test('tuning, block style, anchors, merge keys and a list of servers in a variable', () => {
    const text = `
name: hub
regions:
  hub: &shared
    bootstrap: [ "\${env:SERVERS}" ]
    connectTimeout: 3s
    requestTimeout: 1m
    clientId: x
  spoke:
    <<: *shared
    clientId: y
topics: &list
  - name: prices
flows:
  - source: hub
    target: spoke
    topics: *list
    naming: identity
    paused: [{ name: prices }]
limits: { bufferBytes: 64 MiB, fetchBytes: 512KiB, connectionsPerBroker: 3 }
http: { port: 0, host: 127.0.0.1 }
discoveryInterval: 500ms
`
    const result = load(text, { environment: { SERVERS: 'a:1, [::1]:2' } })
    assert.ok(result.ok, problemsOf(result).join('\n'))
    const { config } = result
    assert.deepEqual([...config.connections.values()][1], {
      bootstrap: ['a:1', '[::1]:2'],
      clientId: 'y',
      connectTimeoutMs: 3_000,
      requestTimeoutMs: 60_000,
    })
    assert.deepEqual(config.limits, {
      bufferBytesMax: 67_108_864,
      fetchBytesMax: 524_288,
      connectionsPerBroker: 3,
    })
    assert.deepEqual(config.http, { port: 0, host: '127.0.0.1' })
    assert.equal(config.discoveryIntervalMs, 500)
    assert.deepEqual(config.topology.flows[0]?.paused, [{ kind: 'name', name: 'prices' }])
  })

  test('nothing of the result can be changed', () => {
    const result = load(head + regions + topics)
    assert.ok(result.ok)
    const { config } = result
    assert.throws(() => Object.assign(config, { http: undefined }), TypeError)
    assert.throws(() => Object.assign(config.limits, { bufferBytesMax: 1 }), TypeError)
    const [settings] = config.connections.values()
    assert.throws(() => Object.assign(settings ?? {}, { clientId: '' }), TypeError)
    const connections = config.connections as Map<unknown, unknown>
    for (const change of [
      () => connections.clear(),
      () => connections.set(1, 2),
      () => connections.delete('us-east'),
    ]) {
      assert.throws(change, TypeError)
    }
    assert.equal(connections.size, 2)
  })
})

/** A file and everything that is wrong with it. */
const bad: [string, string, string[]][] = [
  ['an empty file', '', ['1:1 expected a mapping, found nothing']],
  ['a list', '- a\n', ['1:1 expected a mapping, found a list']],
  [
    'everything missing',
    '{}',
    ['1:1 name: missing: expected a text', '1:1 regions: missing: expected a mapping'],
  ],
  [
    'unknown keys, with what was meant, at their own place',
    `${head}${regions}topics:\n  - matches: x\n  - name: a\n    frobnicate: 1\nobjektives: { rpo: 5s }\n`,
    [
      '7:5 topics[0].matches: unknown key "matches"; did you mean "match"?',
      '9:5 topics[1].frobnicate: unknown key "frobnicate"; known keys are name, prefix, match, exclude, partitionRange',
      '10:1 objektives: unknown key "objektives"; did you mean "objectives"?',
    ],
  ],
  [
    'values of the wrong kind or outside their lists',
    `name: 2024\npattern: activ-passive\nregions:\n  us-east: { role: leader, bootstrap: 9092 }\n  eu-west: [a]\ntopics: { name: x }\nhttp: { port: 70000 }\nlimits: { connectionsPerBroker: 1.5 }\n`,
    [
      '1:7 name: expected a text, found a number; put it in quotes',
      '2:10 pattern: expected one of active-passive, active-active, custom; did you mean "active-passive"?',
      '4:20 regions.us-east.role: expected one of active, passive, peer, witness',
      '4:39 regions.us-east.bootstrap: expected host:port, or a list of them',
      '5:3 regions.eu-west: expected a mapping, found a list',
      '6:1 topics: expected a list, found a mapping',
      '7:15 http.port: too big: expected number to be <=65535',
      '8:33 limits.connectionsPerBroker: expected a whole number, found a number',
    ],
  ],
  [
    'problems of meaning, behind each other and behind problems of shape',
    `name: Payments\npattern: active-passive\nregions:\n  us-east: { role: active, bootstrap: [us, "http://us:9092", "us:0"] }\n  eu-west: { role: passive, bootstrap: [eu:9092], sekurity: {} }\ntopics: [{ match: "(" }, 7, { match: "[" }]\nobjectives: { rpo: 5 sec }\nfailover: { mode: automatic }\nflows: [{ source: us-east, target: eu-wets }]\nlimits: { bufferBytes: 12MB, fetchBytes: 0B }\ndiscoveryInterval: 0s\n`,
    [
      '1:7 name: "Payments" cannot name a topology: use 1 to 63 lowercase letters, digits and dashes, beginning and ending with a letter or digit',
      '4:40 regions.us-east.bootstrap[0]: expected host:port; such as broker-1.example:9092',
      '4:44 regions.us-east.bootstrap[1]: expected host:port; leave out the protocol; "security" says it',
      '4:62 regions.us-east.bootstrap[2]: expected host:port; such as broker-1.example:9092',
      '5:51 regions.eu-west.sekurity: unknown key "sekurity"; did you mean "security"?',
      '6:19 topics[0].match: invalid regular expression: unterminated group',
      '6:26 topics[1]: expected a mapping, found a number',
      '6:38 topics[2].match: invalid regular expression: unterminated character class',
      '7:20 objectives.rpo: not a duration; write a number with ms, s, m, h or d, such as 500ms or 5s',
      '8:19 failover.mode: automatic failover needs a witness: without one, a cut between two regions looks like a lost region; add a region with role: witness, or use mode: manual',
      '9:36 flows[0].target: there is no region "eu-wets"; did you mean "eu-west"?',
      '10:24 limits.bufferBytes: not a size above zero; write a number with B, KiB, MiB or GiB, such as 96MiB',
      '10:42 limits.fetchBytes: not a size above zero; write a number with B, KiB, MiB or GiB, such as 96MiB',
      '11:20 discoveryInterval: not a duration above zero; write a number with ms, s, m, h or d, such as 500ms or 5s',
    ],
  ],
  [
    'only what is certain: a misspelt role is no missing role, and no missing witness',
    `${head}regions:\n  a: { rol: active, bootstrap: [a:1] }\n  b: { role: passive, bootstrap: [b:1] }\n  w: { role: witnes, bootstrap: [w:1] }\n${topics}failover: { mode: automatic }\n`,
    [
      '4:8 regions.a.rol: unknown key "rol"; did you mean "role"?',
      '6:14 regions.w.role: expected one of active, passive, peer, witness; did you mean "witness"?',
    ],
  ],
  [
    'a missing server hides nothing of the topology',
    `${head}regions:\n  a: { role: active }\n  b: { role: passive, bootstrap: [] }\ntopics: []\n`,
    [
      '4:3 regions.a.bootstrap: missing: expected host:port, or a list of them',
      '5:23 regions.b.bootstrap: too small: expected array to have >=1 items',
      '6:1 topics: no topics are selected for a->b; list them under "topics", such as { name: orders } or { match: .* }',
    ],
  ],
  [
    'contradictions of custom flows where they were written',
    `name: c\nregions:\n  a: { bootstrap: a:1 }\n  b: { bootstrap: b:1 }\n  w: { bootstrap: w:1, role: witness }\n${topics}flows:\n  - { source: a, target: b }\n  - { source: a, target: [b] }\n  - { source: [], target: w }\n  - { source: b, target: w }\n  - { source: b, target: b }\n`,
    [
      '9:5 flows[1]: the flow a->b is declared twice; put the topics of both into one flow',
      '10:7 flows[2].source: too small: expected array to have >=1 items',
      '11:26 flows[3].target: w is a witness, which takes part in failover votes and carries no flows; give the region another role',
      '12:26 flows[4].target: a flow from b to itself; name another target',
    ],
  ],
  [
    'a key written twice does not hide other problems',
    `${head}${regions}${topics}topics: [{ name: "a b" }]\n`,
    [
      '7:1 this key is written twice in one mapping',
      '7:18 topics[0].name: "a b" cannot be a topic name: Kafka allows letters, digits, ".", "_" and "-"',
    ],
  ],
]

describe('a bad file: every problem, with its place', () => {
  for (const [what, text, expected] of bad) {
    test(what, () => {
      const found = problemsOf(load(text))
      assert.deepEqual(
        found,
        expected.map((line) => `causeway.yaml:${line}`),
      )
    })
  }

  const syntax: [string, string, string[]][] = [
    ['an unclosed list', 'topics: [a\nname: x\n', ['2:1']],
    ['a tab', 'regions:\n\ta: 1\n', ['2:1']],
    ['two documents', 'name: a\n---\nname: b\n', ['2:1']],
    ['an alias without anchor, and a tag', 'name: *hunter2\npattern: !hunter2 x\n', ['1:7', '2:10']],
    ['a bad escape and a stray brace', 'name: "hunter2\\q"\npattern: }hunter2\n', ['1:15', '2:10']],
    ['a nested mapping on one line', 'name: hunter2: x\n', ['1:7']],
  ]
  for (const [what, text, places] of syntax) {
    test(`${what}: places, and no word of the text`, () => {
      const found = problemsOf(load(text))
      const at = found.map((line) => /^causeway\.yaml:(\d+:\d+) /.exec(line)?.[1])
      for (const place of places) assert.ok(at.includes(place), found.join('\n'))
      assert.doesNotMatch(found.join('\n'), /hunter2/)
    })
  }

  test('aliases that multiply are refused', () => {
    const levels = Array.from({ length: 12 }, (_, at) => `k${at}: &k${at} [${`*k${at - 1}, `.repeat(9)}]`)
    const found = problemsOf(load(['k: &k-1 [x]', ...levels].join('\n')))
    assert.match(found.join('\n'), /multiply/)
  })

  test('a file that is not there', () => {
    const readFile = (): never => {
      throw Object.assign(new Error('gone'), { code: 'ENOENT' })
    }
    const result = loadConfig({ path: 'x.yaml', readFile, environment: {} })
    assert.deepEqual(problemsOf(result), ['x.yaml:1:1 the file x.yaml does not exist'])
  })
})
