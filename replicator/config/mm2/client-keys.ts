import { alike, type KeyMeaning } from './key-meaning.ts'

/** Whose settings a key with `consumer.`, `producer.` or `admin.` in front belongs to. */
export const clientRoles = ['consumer', 'producer', 'admin'] as const
export type ClientRole = (typeof clientRoles)[number]

/** Whether a key says how to reach and log in to a cluster (MirrorClientConfig, "CLIENT_CONFIG_DEF"). */
export function isConnectionKey(key: string): boolean {
  return key === 'bootstrap.servers' || key === 'security.protocol' || /^(?:ssl|sasl)\./.test(key)
}

/** Keys of a connection; they stand for a cluster, and in front of a role they must say the same. */
export const connectionKeys: readonly KeyMeaning[] = [
  { key: 'bootstrap.servers', kind: 'same', here: 'Some brokers, as host:port.' },
  {
    key: 'security.protocol',
    byDefault: 'PLAINTEXT',
    kind: 'same',
    here: 'Whether connections use TLS and SASL.',
  },
  {
    key: 'sasl.mechanism',
    byDefault: 'GSSAPI',
    kind: 'same',
    here: 'PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER and AWS_MSK_IAM can be used; Kerberos (GSSAPI) cannot.',
  },
  {
    key: 'sasl.jaas.config',
    kind: 'same',
    here: 'Name and password of PlainLoginModule or ScramLoginModule, or the client of OAuthBearerLoginModule.',
  },
  {
    key: 'sasl.client.callback.handler.class',
    kind: 'refused',
    here: 'Java classes cannot be run here; AWS_MSK_IAM needs none.',
    accepts: ['software.amazon.msk.auth.iam.iamclientcallbackhandler'],
  },
  {
    key: 'sasl.login.callback.handler.class',
    kind: 'refused',
    here: "Java classes cannot be run here; for Kafka's own handler of OAUTHBEARER a token endpoint or a token file is enough.",
    accepts: [
      'org.apache.kafka.common.security.oauthbearer.oauthbearerlogincallbackhandler',
      'org.apache.kafka.common.security.oauthbearer.secured.oauthbearerlogincallbackhandler',
    ],
  },
  ...alike(
    'sasl.login.class ssl.engine.factory.class security.providers',
    'refused',
    'Java classes cannot be run here.',
  ),
  {
    key: 'sasl.oauthbearer.token.endpoint.url',
    kind: 'same',
    here: 'Where tokens come from: https:// by client credentials, or file:// with the token itself.',
  },
  ...alike(
    'sasl.oauthbearer.client.credentials.client.id sasl.oauthbearer.client.credentials.client.secret sasl.oauthbearer.scope',
    'same',
    'What the token endpoint is asked with.',
  ),
  ...alike(
    'sasl.oauthbearer.assertion.* sasl.oauthbearer.jwt.retriever.class sasl.oauthbearer.jwt.validator.class',
    'refused',
    'Tokens come from a token endpoint by client credentials, or from a file.',
  ),
  ...alike(
    'sasl.oauthbearer.* sasl.login.*',
    'not-needed',
    'Brokers check tokens; logging in again and retrying need no settings.',
  ),
  ...alike('sasl.kerberos.*', 'not-needed', 'Kerberos cannot be used here; its settings do nothing.'),
  {
    key: 'ssl.truststore.location',
    kind: 'differs',
    sameFor: /^\//,
    here: "A PEM file of the authorities to trust, sought in the configuration file's folder; key stores of Java must be converted.",
  },
  { key: 'ssl.truststore.certificates', kind: 'same', here: 'PEM text of the authorities to trust.' },
  {
    key: 'ssl.keystore.location',
    kind: 'differs',
    sameFor: /^\//,
    here: "A PEM file of the client's key and certificate, sought in the configuration file's folder; key stores of Java must be converted.",
  },
  { key: 'ssl.keystore.certificate.chain', kind: 'same', here: "PEM text of the client's certificate." },
  { key: 'ssl.keystore.key', kind: 'same', here: "PEM text of the client's key." },
  { key: 'ssl.key.password', kind: 'same', here: "The passphrase of the client's key." },
  ...['ssl.truststore.type', 'ssl.keystore.type'].map((key) => ({
    key,
    byDefault: 'JKS',
    kind: 'same' as const,
    here: 'Only PEM can be used; key stores of Java must be converted.',
  })),
  ...alike(
    'ssl.truststore.password ssl.keystore.password',
    'not-needed',
    'PEM files have no password of the whole; ssl.key.password is that of a key.',
  ),
  {
    key: 'ssl.endpoint.identification.algorithm',
    byDefault: 'https',
    kind: 'differs',
    sameFor: /^https$/i,
    here: "Brokers' certificates are always checked against their host names; empty, which switches that off, is not obeyed.",
  },
  ...alike('ssl.*', 'not-needed', "TLS versions, ciphers and algorithms are Node's own choice."),
]

const shared: readonly KeyMeaning[] = [
  {
    key: 'client.id',
    kind: 'not-needed',
    here: 'Connections are called causeway-<name> in broker logs and quotas.',
  },
  ...alike(
    'request.timeout.ms default.api.timeout.ms retries retry.backoff.ms retry.backoff.max.ms reconnect.backoff.ms reconnect.backoff.max.ms connections.max.idle.ms socket.connection.setup.timeout.ms socket.connection.setup.timeout.max.ms metadata.max.age.ms metadata.max.idle.ms metadata.recovery.* client.dns.lookup',
    'not-needed',
    'Causeway waits, retries and reconnects by rules of its own.',
  ),
  ...alike(
    'receive.buffer.bytes send.buffer.bytes',
    'not-needed',
    'Sockets are sized by the system; several connections to each broker keep a long link full.',
  ),
  ...alike(
    'metric.reporters metrics.* enable.metrics.push auto.include.jmx.reporter',
    'not-needed',
    'Causeway has no JMX metrics; it tells its state over HTTP.',
  ),
  ...alike('config.providers', 'not-needed', 'Providers are declared for the whole file.'),
  ...alike('interceptor.classes', 'refused', 'Java classes cannot be run here, and records are not decoded.'),
]

/** Keys of the clients inside the connectors, by role, without those of {@link connectionKeys}. */
export const clientKeys: Readonly<Record<ClientRole, readonly KeyMeaning[]>> = {
  consumer: [
    {
      key: 'auto.offset.reset',
      byDefault: 'earliest',
      kind: 'differs',
      here: 'Where a partition starts that was never replicated before (earliest or latest); records that vanish later stop it instead of being jumped over.',
    },
    {
      key: 'isolation.level',
      byDefault: 'read_uncommitted',
      kind: 'refused',
      here: 'Only committed records are copied, never those of aborted transactions.',
      accepts: ['read_committed'],
    },
    ...alike(
      'fetch.min.bytes fetch.max.bytes fetch.max.wait.ms max.partition.fetch.bytes max.poll.records max.poll.interval.ms',
      'not-needed',
      'Fetches size themselves by what arrives, up to causeway.limits.fetchBytes.',
    ),
    ...alike('check.crcs', 'not-needed', "Every batch's CRC is checked."),
    ...alike('client.rack', 'not-needed', 'Leaders are fetched from.'),
    ...alike(
      'group.* session.timeout.ms heartbeat.interval.ms partition.assignment.strategy enable.auto.commit auto.commit.interval.ms allow.auto.create.topics exclude.internal.topics share.* key.deserializer value.deserializer internal.*',
      'not-needed',
      'Partitions are read without a consumer group and without decoding.',
    ),
    ...shared,
  ],
  producer: [
    {
      key: 'compression.type',
      byDefault: 'none',
      kind: 'differs',
      here: "Batches keep the compression that they have on the source; a topic's own compression.type still counts.",
    },
    ...alike(
      'compression.*.level',
      'not-needed',
      'Batches keep the compression that they have on the source.',
    ),
    ...alike(
      'batch.size linger.ms buffer.memory max.request.size max.block.ms max.in.flight.requests.per.connection',
      'not-needed',
      'Batches go on as they were fetched, several in flight; memory is bounded by causeway.limits.bufferBytes.',
    ),
    ...alike(
      'acks enable.idempotence delivery.timeout.ms transactional.id transaction.*',
      'not-needed',
      'Every batch is acknowledged by all replicas, is idempotent, and is tried until it is there.',
    ),
    ...alike(
      'partitioner.* key.serializer value.serializer',
      'not-needed',
      'Records keep their partition and their bytes.',
    ),
    ...shared,
  ],
  admin: [...alike('bootstrap.controllers', 'refused', 'Brokers are asked, not controllers.'), ...shared],
}
