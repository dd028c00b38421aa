import { alike, type KeyMeaning } from './key-meaning.ts'

/** Keys of the driver `connect-mirror-maker.sh`. */
export const driverKeys: readonly KeyMeaning[] = [
  { key: 'clusters', kind: 'same', here: 'The aliases of all clusters.' },
  {
    key: 'config.providers',
    kind: 'same',
    here: "Names of providers of references: Kafka's file, directory and environment providers.",
  },
  {
    key: 'config.providers.*.class',
    kind: 'refused',
    here: "Kafka's FileConfigProvider, DirectoryConfigProvider and EnvVarConfigProvider can be used; for others, put the values into files or the environment.",
    accepts: [
      'org.apache.kafka.common.config.provider.fileconfigprovider',
      'org.apache.kafka.common.config.provider.directoryconfigprovider',
      'org.apache.kafka.common.config.provider.envvarconfigprovider',
    ],
  },
  {
    key: 'config.providers.*.param.*',
    kind: 'not-needed',
    here: 'References are looked up wherever they point; nothing restricts them.',
  },
  {
    key: 'dedicated.mode.enable.internal.rest',
    byDefault: 'false',
    kind: 'not-needed',
    here: "Replicas find each other through the target cluster's group protocol.",
  },
]

/** Keys of the Connect worker (DistributedConfig) that MirrorMaker 2 runs its connectors in. */
export const workerKeys: readonly KeyMeaning[] = [
  ...alike(
    'offset.storage.* config.storage.* status.storage.*',
    'not-needed',
    "Progress is kept in Causeway's own topics on the target; causeway migrate reads and writes what MirrorMaker 2 stores.",
  ),
  ...alike(
    'offset.flush.interval.ms offset.flush.timeout.ms',
    'not-needed',
    'Progress is written every second, and a crash copies nothing twice.',
  ),
  ...alike(
    'listeners admin.listeners listeners.https.* admin.listeners.https.* rest.* access.control.* response.http.headers.config ssl.client.auth',
    'not-needed',
    'There is no Connect REST interface; health is served on port 8480 (causeway.http.port).',
  ),
  ...alike(
    'group.id group.instance.id connect.protocol heartbeat.interval.ms session.timeout.ms rebalance.timeout.ms scheduled.rebalance.max.delay.ms inter.worker.* worker.sync.timeout.ms worker.unsync.backoff.ms',
    'not-needed',
    'Replicas share flows in groups of their own; causeway.replicas.sessionTimeout says how long one may be silent.',
  ),
  ...alike(
    'exactly.once.source.support',
    'not-needed',
    'Copies are exactly once always, without steady transactions.',
  ),
  ...alike(
    'plugin.path plugin.discovery topic.creation.enable topic.tracking.allow.reset topic.tracking.enable connector.client.config.override.policy task.shutdown.graceful.timeout.ms task.* worker.*',
    'not-needed',
    'Causeway has no Connect runtime, no plug-ins and no tasks.',
  ),
]

/** What mm2.properties can say to Causeway alone; MirrorMaker 2 does not read it. */
export const ownKeys: readonly KeyMeaning[] = [
  {
    key: 'causeway.name',
    byDefault: 'mm2',
    kind: 'same',
    here: "The topology's name, part of the names of internal topics.",
  },
  { key: 'causeway.shards', byDefault: '8', kind: 'same', here: 'Units of ownership of every flow.' },
  { key: 'causeway.http.port', byDefault: '8480', kind: 'same', here: 'Where health is served.' },
  {
    key: 'causeway.http.host',
    byDefault: '0.0.0.0',
    kind: 'same',
    here: 'The address that health is served at.',
  },
  ...[
    ['causeway.discoveryInterval', '2s', 'How often topics are listed.'],
    ['causeway.replicas.instanceId', 'none', 'Names this replica among the replicas of its flows.'],
    [
      'causeway.replicas.sessionTimeout',
      '10s',
      'How long a replica may be silent before others take its shards.',
    ],
    ['causeway.limits.bufferBytes', '96MiB', 'Records held in memory between source and target.'],
    ['causeway.limits.fetchBytes', '8MiB', 'Largest answer asked of a source broker at a time.'],
    ['causeway.limits.connectionsPerBroker', '4', 'Connections to each source broker.'],
  ].map(([key = '', byDefault = '', here = '']) => ({ key, byDefault, kind: 'same' as const, here })),
]
