import { alike, type KeyMeaning } from './key-meaning.ts'

/** Keys that all three connectors know (MirrorConnectorConfig, and Connect's SourceConnectorConfig). */
export const sharedKeys: readonly KeyMeaning[] = [
  { key: 'enabled', byDefault: 'false', kind: 'same', here: 'Whether the flow runs.' },
  {
    key: 'source.cluster.alias',
    kind: 'same',
    here: "The source region's alias; mm2.properties says it by the flow's name.",
  },
  {
    key: 'target.cluster.alias',
    byDefault: 'target',
    kind: 'same',
    here: "The target region's alias; mm2.properties says it by the flow's name.",
  },
  {
    key: 'replication.policy.class',
    byDefault: 'DefaultReplicationPolicy',
    kind: 'refused',
    here: 'DefaultReplicationPolicy is naming prefixed and IdentityReplicationPolicy is naming identity, where loops end by themselves; other policies cannot be run here.',
    accepts: [
      'org.apache.kafka.connect.mirror.defaultreplicationpolicy',
      'org.apache.kafka.connect.mirror.identityreplicationpolicy',
    ],
  },
  {
    key: 'replication.policy.separator',
    byDefault: '.',
    kind: 'same',
    here: 'Stands between alias and topic in the names of copies.',
  },
  {
    key: 'replication.policy.internal.topic.separator.enabled',
    byDefault: 'true',
    kind: 'same',
    here: "Whether the separator is in the names of MirrorMaker 2's checkpoints and offset-syncs topics.",
  },
  {
    key: 'forwarding.admin.class',
    byDefault: 'ForwardingAdmin',
    kind: 'refused',
    here: 'Topics are created and configured on the target cluster itself.',
    accepts: ['org.apache.kafka.clients.admin.forwardingadmin'],
  },
  { key: 'name', kind: 'not-needed', here: 'Connectors need no names here; a flow is known by its regions.' },
  { key: 'connector.class', kind: 'same', here: "Which of MirrorMaker 2's three connectors is meant." },
  { key: 'class', kind: 'same', here: "Strimzi's word for connector.class." },
  {
    key: 'tasks.max',
    byDefault: '1',
    kind: 'not-needed',
    here: 'There are no tasks: one process works on all partitions, and replicas share a flow by its shards.',
  },
  { key: 'tasksMax', kind: 'not-needed', here: "Strimzi's word for tasks.max: there are no tasks here." },
  ...alike(
    'tasks.max.enforce admin.timeout.ms consumer.poll.timeout.ms connector.plugin.version config.action.reload errors.log.enable errors.log.include.messages errors.retry.timeout errors.retry.delay.max.ms *.converter.plugin.version state autoRestart autoRestart.* pause',
    'not-needed',
    'Causeway has no Connect runtime: waiting, retrying and logging need no settings.',
  ),
  {
    key: 'errors.tolerance',
    byDefault: 'none',
    kind: 'refused',
    here: 'Nothing is skipped here: a partition that cannot go on stops and says why.',
    accepts: ['none'],
  },
  ...['transforms', 'transforms.*', 'predicates', 'predicates.*'].map((key) => ({
    key,
    kind: 'refused' as const,
    here: 'Record batches are forwarded undecoded, so records cannot be changed or left out on the way.',
    accepts: [''],
  })),
  ...['key.converter', 'value.converter', 'header.converter'].map((key) => ({
    key,
    kind: 'refused' as const,
    here: 'Keys, values and headers are copied byte for byte; no other converter can be used.',
    accepts: ['org.apache.kafka.connect.converters.bytearrayconverter'],
  })),
  ...alike(
    '*.converter.*',
    'not-needed',
    'Keys, values and headers are copied byte for byte; converters have no settings.',
  ),
  ...alike(
    'metric.reporters metrics.* metric.names.formats add.source.alias.to.metrics auto.include.jmx.reporter',
    'not-needed',
    "Causeway has no JMX metrics; it tells its state over HTTP, and every flow's source is part of it.",
  ),
  ...alike(
    'exactly.once.support transaction.boundary transaction.boundary.interval.ms offsets.storage.topic',
    'not-needed',
    'Copies are exactly once always, without steady transactions.',
  ),
  ...alike(
    'topic.creation.*',
    'refused',
    'Copies get the partitions and the configs of their source topics, and replication.factor.',
  ),
]

/** Keys of MirrorSourceConnector. */
export const sourceKeys: readonly KeyMeaning[] = [
  { key: 'topics', byDefault: '.*', kind: 'same', here: 'Names and Java expressions of topics to copy.' },
  {
    key: 'topics.exclude',
    byDefault: 'mm2.*\\.internal, .*\\.replica, __.*',
    kind: 'same',
    here: "Names and Java expressions of topics to leave out; Causeway's and MirrorMaker 2's own are left out always.",
  },
  {
    key: 'topics.blacklist',
    kind: 'refused',
    here: 'Removed in MirrorMaker 2 4.0: write topics.exclude.',
  },
  {
    key: 'topic.filter.class',
    byDefault: 'DefaultTopicFilter',
    kind: 'refused',
    here: 'Topics are chosen by topics and topics.exclude; filters of your own cannot be run here.',
    accepts: ['org.apache.kafka.connect.mirror.defaulttopicfilter'],
  },
  {
    key: 'config.property.filter.class',
    byDefault: 'DefaultConfigPropertyFilter',
    kind: 'refused',
    here: 'Topic configs are chosen by config.properties.exclude; filters of your own cannot be run here.',
    accepts: ['org.apache.kafka.connect.mirror.defaultconfigpropertyfilter'],
  },
  {
    key: 'config.properties.exclude',
    byDefault: 'six configs, such as min\\.insync\\.replicas',
    kind: 'differs',
    here: 'Topic configs that are not carried over; MirrorMaker 2 deletes them on the target when they are at their default on the source, Causeway leaves them alone.',
  },
  {
    key: 'config.properties.blacklist',
    kind: 'refused',
    here: 'Removed in MirrorMaker 2 4.0: write config.properties.exclude.',
  },
  {
    key: 'use.defaults.from',
    byDefault: 'target',
    kind: 'same',
    here: 'Whose default applies where the source topic has no config of its own.',
  },
  {
    key: 'use.incremental.alter.configs',
    kind: 'not-needed',
    here: 'Configs are always altered incrementally, as since MirrorMaker 2 4.0.',
  },
  {
    key: 'refresh.topics.enabled',
    byDefault: 'true',
    kind: 'refused',
    here: 'New topics that are selected are always copied; to copy certain topics only, list them in topics.',
    accepts: ['true'],
  },
  {
    key: 'refresh.topics.interval.seconds',
    byDefault: '600',
    kind: 'not-needed',
    here: 'Topics are listed every 2 seconds (discoveryInterval), and nothing restarts when there are new ones.',
  },
  {
    key: 'sync.topic.configs.enabled',
    byDefault: 'true',
    kind: 'same',
    here: "Whether topic configs follow the source's after a topic was created.",
  },
  {
    key: 'sync.topic.configs.interval.seconds',
    byDefault: '600',
    kind: 'not-needed',
    here: 'Configs are compared whenever topics are listed, every 2 seconds.',
  },
  {
    key: 'sync.topic.acls.enabled',
    byDefault: 'true',
    kind: 'differs',
    here: "Whether ACLs of topics follow the source's: false if it is not said; what the source takes back is taken back, and rights to write are withheld.",
  },
  {
    key: 'sync.topic.acls.interval.seconds',
    byDefault: '600',
    kind: 'not-needed',
    here: 'ACLs are compared every 30 seconds.',
  },
  {
    key: 'replication.factor',
    byDefault: '2',
    kind: 'same',
    here: "Of topics that are created; without it, the target brokers' own default instead of 2. -1 asks for that, too.",
  },
  {
    key: 'offset.lag.max',
    byDefault: '100',
    kind: 'same',
    here: "How far apart the records of MirrorMaker 2's offset-syncs topic are; Causeway itself goes by its own exact map.",
  },
  {
    key: 'emit.offset-syncs.enabled',
    byDefault: 'true',
    kind: 'same',
    here: "Whether MirrorMaker 2's offset-syncs topic is written.",
  },
  {
    key: 'offset-syncs.topic.replication.factor',
    byDefault: '3',
    kind: 'same',
    here: "Of MirrorMaker 2's offset-syncs topic, if it has to be created.",
  },
  {
    key: 'offset-syncs.topic.location',
    byDefault: 'source',
    kind: 'same',
    here: "The side on which MirrorMaker 2's offset-syncs topic lives: source or target.",
  },
  ...alike(
    'offset-syncs.topic.* offset-syncs.*',
    'not-needed',
    "Clients of MirrorMaker 2's offset-syncs topic need no settings of their own.",
  ),
  {
    key: 'heartbeats.replication.enabled',
    byDefault: 'true',
    kind: 'same',
    here: 'Whether topics called heartbeats are copied even if topics does not select them.',
  },
]
