import type { CausewayConfig } from '../../../../replicator/config/load-config.ts'
import type { Flow } from '../../../../replicator/topology/model.ts'

/** One line of a file, behind the lines of `base`, and what must become of it. */
export interface Row {
  /** The key as section 4 of the fact sheet lists it. */
  readonly key: string
  /** The line. */
  readonly line: string
  /** What the configuration must say then. */
  readonly gives?: readonly [of: (config: CausewayConfig) => unknown, value: unknown]
  /** The one note on the line; none without it. */
  readonly note?: RegExp
  /** The one problem of the line. */
  readonly problem?: RegExp
}

const flow =
  <Part extends keyof Flow>(part: Part) =>
  ({ topology }: CausewayConfig): unknown =>
    topology.flows[0]?.[part]
const carried = ({ mirrorMaker }: CausewayConfig) => [...(mirrorMaker?.flows.values() ?? [])][0]
const offsetSyncs = (config: CausewayConfig) => carried(config)?.offsetSyncs
const checkpoints = (config: CausewayConfig) => carried(config)?.checkpoints
const heartbeats = ({ mirrorMaker }: CausewayConfig) =>
  mirrorMaker?.heartbeats.map(({ source, target }) => `${source}->${target}`)

const everything = { kind: 'match', match: '.*', exclude: 'mm2.*\\.internal|.*\\.replica|__.*' }

/** Section 4.1, "Shared". */
export const sharedRows: readonly Row[] = [
  {
    key: 'enabled',
    line: 'B->A.enabled = true',
    gives: [({ topology }) => topology.flows.map(({ id }) => id), ['A->B', 'B->A']],
  },
  { key: 'enabled', line: 'B->A.enabled = false', gives: [({ topology }) => topology.flows.length, 1] },
  { key: 'enabled', line: 'B->A.enabled = yes', problem: /^mm2\.properties:5:1 .*expected true or false/ },
  { key: 'source.cluster.alias', line: 'A->B.source.cluster.alias = A' },
  { key: 'target.cluster.alias', line: 'A->B.target.cluster.alias = B' },
  { key: 'admin.timeout.ms', line: 'admin.timeout.ms = 1', note: /not needed/ },
  {
    key: 'replication.policy.class',
    line: 'replication.policy.class = org.apache.kafka.connect.mirror.DefaultReplicationPolicy',
    gives: [flow('naming'), { kind: 'prefixed', separator: '.' }],
  },
  {
    key: 'replication.policy.class',
    line: 'replication.policy.class = org.apache.kafka.connect.mirror.IdentityReplicationPolicy',
    gives: [flow('naming'), { kind: 'identity' }],
  },
  {
    key: 'replication.policy.class',
    line: 'replication.policy.class = com.example.Mine',
    problem:
      /:5:1 replication\.policy\.class: not possible here: DefaultReplicationPolicy is naming prefixed/,
  },
  {
    key: 'replication.policy.separator',
    line: 'replication.policy.separator = _',
    gives: [flow('naming'), { kind: 'prefixed', separator: '_' }],
  },
  {
    key: 'replication.policy.separator',
    line: 'replication.policy.separator = /',
    problem: /:5:1 .*letters, digits/,
  },
  {
    key: 'replication.policy.internal.topic.separator.enabled',
    line: 'replication.policy.separator = _\nreplication.policy.internal.topic.separator.enabled = false',
    gives: [(config) => checkpoints(config)?.topic, 'A.checkpoints.internal'],
  },
  {
    key: 'forwarding.admin.class',
    line: 'forwarding.admin.class = com.example.Admin',
    problem: /:5:1 .*created and configured on the target/,
  },
  {
    key: 'forwarding.admin.class',
    line: 'forwarding.admin.class = org.apache.kafka.clients.admin.ForwardingAdmin',
  },
  { key: 'metric.reporters', line: 'metric.reporters = com.example.Reporter', note: /not needed.*JMX/ },
  { key: 'security.protocol', line: 'security.protocol = SSL', gives: [tlsOf, [{}, {}]] },
  { key: 'security.protocol', line: 'security.protocol = ssl', gives: [tlsOf, [{}, {}]] },
  {
    key: 'security.protocol',
    line: 'A.security.protocol = TLS',
    problem: /:5:1 .*expected one of PLAINTEXT, SSL/,
  },
  { key: 'ssl.*', line: 'A.ssl.cipher.suites = X', note: /not needed.*Node/ },
  { key: 'ssl.*', line: 'A.ssl.endpoint.identification.algorithm = ', note: /differs.*always checked/ },
  { key: 'ssl.*', line: 'A.ssl.endpoint.identification.algorithm = https' },
  { key: 'ssl.*', line: 'A.ssl.truststore.location = ca.pem', note: /differs.*folder/ },
  { key: 'ssl.*', line: 'A.ssl.truststore.location = /ca.pem' },
  {
    key: 'sasl.*',
    line: 'A.security.protocol=SASL_SSL\nA.sasl.mechanism = GSSAPI',
    problem: /:6:1 .*Kerberos/,
  },
  { key: 'tasks.max', line: 'tasks.max = 8', note: /:5 tasks\.max: not needed: There are no tasks/ },
  { key: 'transforms', line: 'A->B.transforms = x', problem: /:5:1 .*cannot be changed or left out/ },
  { key: 'transforms', line: 'A->B.transforms = ' },
  { key: 'transforms', line: 'A->B.transforms.x.type = y', problem: /cannot be changed or left out/ },
  { key: 'predicates', line: 'A->B.predicates = x', problem: /cannot be changed or left out/ },
  { key: 'errors.*', line: 'errors.tolerance = all', problem: /nothing is skipped here/ },
  { key: 'errors.*', line: 'errors.tolerance = none' },
  { key: 'errors.*', line: 'errors.log.enable = true', note: /not needed/ },
  { key: 'exactly.once.support', line: 'exactly.once.support = required', note: /not needed.*exactly once/ },
  { key: 'transaction.boundary', line: 'transaction.boundary = interval', note: /not needed.*exactly once/ },
]

function tlsOf({ connections }: CausewayConfig): unknown {
  return [...connections.values()].map(({ tls }) => tls)
}

/** Section 4.1, "Source connector". */
export const sourceRows: readonly Row[] = [
  {
    key: 'topics',
    line: 'topics = orders',
    gives: [flow('topics'), [{ kind: 'name', name: 'orders' }]],
  },
  {
    key: 'topics',
    line: 'topics = orders, ledger\\\\..*',
    gives: [
      flow('topics'),
      [
        { kind: 'name', name: 'orders' },
        { kind: 'match', match: 'ledger\\..*', exclude: everything.exclude },
      ],
    ],
  },
  {
    key: 'topics',
    line: 'topics = a++',
    problem: /:5:1 topics: a Java expression that cannot be translated: a possessive/,
  },
  { key: 'topics', line: 'topics = ', problem: /:4:1 .*no flow is enabled that copies a topic/ },
  {
    key: 'topics.exclude',
    line: 'topics.exclude = tmp-.*',
    gives: [flow('topics'), [{ kind: 'match', match: '.*', exclude: 'tmp-.*' }]],
  },
  {
    key: 'topics.exclude',
    line: 'topics.exclude = .*beats',
    gives: [flow('topics'), [{ kind: 'match', match: '.*', exclude: '.*beats' }]],
  },
  {
    key: 'topics.exclude',
    line: 'topics.exclude = (?i)tmp',
    problem: /:5:1 topics\.exclude: .*inline flags.*\[oO\]/,
  },
  {
    key: 'topic.filter.class',
    line: 'topic.filter.class = com.example.Filter',
    problem: /topics and topics\.exclude/,
  },
  {
    key: 'config.property.filter.class',
    line: 'config.property.filter.class = x',
    problem: /config\.properties\.exclude/,
  },
  {
    key: 'config.properties.exclude',
    line: 'config.properties.exclude = retention\\\\..*, max\\\\.message\\\\.bytes',
    gives: [
      (config) => config.topology.flows[0]?.configSync.exclude,
      ['retention\\..*', 'max\\.message\\.bytes'],
    ],
    note: /differs.*leaves them alone/,
  },
  { key: 'config.properties.exclude', line: 'config.properties.exclude = a++', problem: /possessive/ },
  {
    key: 'use.defaults.from',
    line: 'use.defaults.from = source',
    gives: [(config) => config.topology.flows[0]?.configSync.defaultsFrom, 'source'],
  },
  { key: 'use.defaults.from', line: 'use.defaults.from = both', problem: /expected source or target/ },
  { key: 'consumer.poll.timeout.ms', line: 'consumer.poll.timeout.ms = 5', note: /not needed/ },
  { key: 'refresh.topics.enabled', line: 'refresh.topics.enabled = false', problem: /always copied/ },
  { key: 'refresh.topics.enabled', line: 'refresh.topics.enabled = true' },
  {
    key: 'refresh.topics.interval.seconds',
    line: 'refresh.topics.interval.seconds = 5',
    note: /every 2 seconds/,
  },
  {
    key: 'sync.topic.configs.enabled',
    line: 'sync.topic.configs.enabled = false',
    gives: [(config) => config.topology.flows[0]?.configSync.mode, 'off'],
  },
  {
    key: 'sync.topic.configs.interval.seconds',
    line: 'sync.topic.configs.interval.seconds = 5',
    note: /not needed/,
  },
  {
    key: 'sync.topic.acls.enabled',
    line: 'sync.topic.acls.enabled = true',
    gives: [flow('aclSync'), { mode: 'sync', principals: [] }],
    note: /differs.*taken back/,
  },
  {
    key: 'sync.topic.acls.interval.seconds',
    line: 'sync.topic.acls.interval.seconds = 5',
    note: /not needed/,
  },
  { key: 'replication.factor', line: 'replication.factor = 3', gives: [flow('replicationFactor'), 3] },
  {
    key: 'replication.factor',
    line: 'replication.factor = -1',
    gives: [flow('replicationFactor'), 'broker-default'],
  },
  { key: 'replication.factor', line: 'replication.factor = 0', problem: /from 1 to 32767/ },
  { key: 'replication.factor', line: 'replication.factor = two', problem: /:5:1 .*whole number/ },
  {
    key: 'offset.lag.max',
    line: 'offset.lag.max = 0',
    gives: [(config) => offsetSyncs(config)?.lagMax, 0],
  },
  {
    key: 'emit.offset-syncs.enabled',
    line: 'emit.offset-syncs.enabled = false',
    gives: [(config) => offsetSyncs(config)?.isEmitted, false],
  },
  {
    key: 'offset-syncs.topic.replication.factor',
    line: 'offset-syncs.topic.replication.factor = 1',
    gives: [(config) => offsetSyncs(config)?.replicationFactor, 1],
  },
  {
    key: 'offset-syncs.topic.location',
    line: 'offset-syncs.topic.location = target',
    gives: [
      (config) => [offsetSyncs(config)?.location, offsetSyncs(config)?.topic],
      ['target', 'mm2-offset-syncs.A.internal'],
    ],
  },
  {
    key: 'offset-syncs.topic.location',
    line: 'offset-syncs.topic.location = here',
    problem: /source or target/,
  },
  {
    key: 'heartbeats.replication.enabled',
    line: 'heartbeats.replication.enabled = true',
    gives: [flow('copiesHeartbeats'), true],
  },
  {
    key: 'heartbeats.replication.enabled',
    line: 'heartbeats.replication.enabled = false',
    gives: [flow('copiesHeartbeats'), undefined],
  },
  { key: 'use.incremental.alter.configs', line: 'use.incremental.alter.configs = never', note: /not needed/ },
  { key: 'add.source.alias.to.metrics', line: 'add.source.alias.to.metrics = true', note: /not needed/ },
  { key: 'topics.blacklist', line: 'topics.blacklist = x', problem: /write topics\.exclude/ },
  { key: 'groups.blacklist', line: 'groups.blacklist = x', problem: /write groups\.exclude/ },
  {
    key: 'config.properties.blacklist',
    line: 'config.properties.blacklist = x',
    problem: /write config\.properties\.exclude/,
  },
  { key: 'metric.names.formats', line: 'metric.names.formats = new', note: /not needed/ },
]

/** Section 4.1, "Checkpoint connector" and "Heartbeat connector". */
export const groupRows: readonly Row[] = [
  {
    key: 'groups',
    line: 'groups = shop\nsync.group.offsets.enabled = true',
    gives: [flow('groups'), [{ kind: 'name', name: 'shop' }]],
  },
  {
    key: 'groups',
    line: 'groups = shop',
    gives: [
      (config) => [config.topology.flows[0]?.groups, checkpoints(config)?.groups],
      [[], [{ kind: 'name', name: 'shop' }]],
    ],
  },
  { key: 'groups', line: 'groups = (?i)shop', problem: /:5:1 groups: .*inline flags/ },
  {
    key: 'groups.exclude',
    line: 'groups.exclude = tmp-.*',
    gives: [(config) => checkpoints(config)?.groups, [{ kind: 'match', match: '.*', exclude: 'tmp-.*' }]],
  },
  { key: 'group.filter.class', line: 'group.filter.class = x', problem: /groups and groups\.exclude/ },
  { key: 'topic.filter.class', line: 'topic.filter.class = x', problem: /filters of your own/ },
  { key: 'refresh.groups.enabled', line: 'refresh.groups.enabled = false', problem: /always follow/ },
  { key: 'refresh.groups.interval.seconds', line: 'refresh.groups.interval.seconds = 1', note: /not needed/ },
  {
    key: 'emit.checkpoints.enabled',
    line: 'emit.checkpoints.enabled = false',
    gives: [(config) => checkpoints(config)?.isEmitted, false],
  },
  {
    key: 'emit.checkpoints.interval.seconds',
    line: 'emit.checkpoints.interval.seconds = 5',
    gives: [(config) => checkpoints(config)?.intervalMs, 5_000],
    note: /not needed/,
  },
  {
    key: 'sync.group.offsets.enabled',
    line: 'sync.group.offsets.enabled = true',
    gives: [
      (config) => [carried(config)?.syncsGroups, config.topology.flows[0]?.groups],
      [true, [{ kind: 'match', match: '.*', exclude: 'console-consumer-.*|connect-.*|__.*' }]],
    ],
  },
  {
    key: 'sync.group.offsets.interval.seconds',
    line: 'sync.group.offsets.interval.seconds = 5',
    note: /not needed/,
  },
  {
    key: 'checkpoints.topic.replication.factor',
    line: 'checkpoints.topic.replication.factor = 1',
    gives: [(config) => checkpoints(config)?.replicationFactor, 1],
  },
  {
    key: 'offset-syncs.topic.location',
    line: 'A->B.offset-syncs.topic.location = target',
  },
  { key: 'consumer.poll.timeout.ms', line: 'A->B.consumer.poll.timeout.ms = 5', note: /not needed/ },
  {
    key: 'emit.heartbeats.enabled',
    line: 'B->A.emit.heartbeats.enabled = false',
    gives: [heartbeats, ['A->B']],
  },
  {
    key: 'emit.heartbeats.enabled',
    line: 'emit.heartbeats.enabled = false',
    gives: [heartbeats, []],
  },
  {
    key: 'emit.heartbeats.interval.seconds',
    line: 'emit.heartbeats.interval.seconds = 3',
    gives: [({ mirrorMaker }) => mirrorMaker?.heartbeats[0]?.intervalMs, 3_000],
  },
  {
    key: 'heartbeats.topic.replication.factor',
    line: 'heartbeats.topic.replication.factor = 1',
    gives: [({ mirrorMaker }) => mirrorMaker?.heartbeats[0]?.replicationFactor, 1],
  },
]

/** Section 4.1, "Driver", and "Relevant Connect worker defaults". */
export const driverRows: readonly Row[] = [
  { key: 'clusters', line: 'clusters = A, B', note: /clusters: not read: It is written again in line 5/ },
  {
    key: 'dedicated.mode.enable.internal.rest',
    line: 'dedicated.mode.enable.internal.rest = true',
    note: /not needed/,
  },
  { key: 'config.providers', line: 'config.providers = env' },
  {
    key: 'config.providers',
    line: 'config.providers.env.class = org.apache.kafka.common.config.provider.EnvVarConfigProvider',
  },
  {
    key: 'config.providers',
    line: 'config.providers.v.class = com.example.Vault',
    problem: /FileConfigProvider, Dir/,
  },
  { key: 'config.providers', line: 'config.providers.env.param.allowlist.pattern = X', note: /not needed/ },
  { key: 'listeners', line: 'listeners = http://0.0.0.0:8083', note: /not needed.*8480/ },
  { key: 'offset.flush.interval.ms', line: 'offset.flush.interval.ms = 5', note: /not needed/ },
  { key: 'offset.flush.timeout.ms', line: 'offset.flush.timeout.ms = 5', note: /not needed/ },
  {
    key: 'scheduled.rebalance.max.delay.ms',
    line: 'B.scheduled.rebalance.max.delay.ms = 5',
    note: /not needed/,
  },
  {
    key: 'offset.storage.replication.factor',
    line: 'offset.storage.replication.factor = 1',
    note: /not needed/,
  },
  {
    key: 'status.storage.replication.factor',
    line: 'status.storage.replication.factor = 1',
    note: /not needed/,
  },
  {
    key: 'config.storage.replication.factor',
    line: 'B.config.storage.replication.factor = 1',
    note: /not needed/,
  },
  {
    key: 'exactly.once.source.support',
    line: 'B.exactly.once.source.support = enabled',
    note: /exactly once always/,
  },
  {
    key: 'key.converter',
    line: 'key.converter = org.apache.kafka.connect.converters.ByteArrayConverter',
  },
  {
    key: 'value.converter',
    line: 'value.converter = org.apache.kafka.connect.json.JsonConverter',
    problem: /byte for byte/,
  },
  { key: 'header.converter', line: 'A->B.header.converter = x', problem: /byte for byte/ },
]

/** Section 4.2: clients' keys and their forms. */
export const clientRows: readonly Row[] = [
  { key: 'A.consumer.x', line: 'A.consumer.max.poll.records = 5', note: /not needed/ },
  { key: 'A.x', line: 'A.max.poll.records = 5', note: /not read: .*with consumer\., producer\. or admin\./ },
  { key: 'x', line: 'max.poll.records = 5', note: /not read: .*behind a cluster/ },
  { key: 'consumer.x', line: 'consumer.max.poll.records = 5', note: /not read: .*behind a cluster/ },
  { key: 'A.topics', line: 'A.topics = x', note: /not read: .*without a prefix or behind a flow/ },
  { key: 'A->B.x', line: 'A->B.sasl.mechanism = PLAIN', note: /not read: .*source\.cluster/ },
  { key: 'A->B.consumer.x', line: 'A->B.consumer.fetch.max.bytes = 1', note: /not needed/ },
  { key: 'A->B.source.consumer.x', line: 'A->B.source.consumer.fetch.max.bytes = 1', note: /not needed/ },
  { key: 'A->B.producer.override.x', line: 'A->B.producer.override.linger.ms = 5', note: /not needed/ },
  {
    key: 'B.producer.x',
    line: 'B.producer.compression.type = zstd',
    note: /differs: Batches keep the compression/,
  },
  { key: 'x', line: 'C.bootstrap.servers = c:1', note: /not read: "clusters" lists no cluster "C"/ },
  { key: 'A.admin.x', line: 'A.admin.retries = 5', note: /not needed/ },
  {
    key: 'auto.offset.reset',
    line: 'A.consumer.auto.offset.reset = latest',
    gives: [flow('startAt'), 'latest'],
    note: /differs/,
  },
  {
    key: 'auto.offset.reset',
    line: 'A.consumer.auto.offset.reset = none',
    problem: /:5:1 .*earliest or latest/,
  },
  {
    key: 'auto.offset.reset',
    line: 'A.consumer.auto.offset.reset = by_duration:PT1H',
    problem: /earliest or latest/,
  },
  { key: 'isolation.level', line: 'A.consumer.isolation.level = read_committed' },
  {
    key: 'isolation.level',
    line: 'A.consumer.isolation.level = read_uncommitted',
    problem: /only committed records/,
  },
  { key: 'interceptor.classes', line: 'B.producer.interceptor.classes = x', problem: /Java classes/ },
]
