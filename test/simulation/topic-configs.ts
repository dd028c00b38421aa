import type { TopicConfigChange, TopicConfigEntry } from '../../replicator/kafka/cluster.ts'

type Check = (value: string) => boolean

const long: Check = (value) => /^-?\d{1,19}$/.test(value)
const notNegative: Check = (value) => /^\d{1,19}$/.test(value)
const flag: Check = (value) => value === 'true' || value === 'false'
const ratio: Check = (value) => value !== '' && Number(value) >= 0 && Number(value) <= 1
const oneOf =
  (...values: string[]): Check =>
  (value) =>
    values.includes(value)
const listOf =
  (...values: string[]): Check =>
  (value) =>
    value.split(',').every((item) => values.includes(item))
const anything: Check = () => true

/** Topic configs of Kafka 4.3 with their defaults and what they accept. */
const known: ReadonlyMap<string, readonly [string, Check]> = new Map<string, [string, Check]>([
  ['cleanup.policy', ['delete', listOf('delete', 'compact', '')]],
  ['compression.gzip.level', ['-1', long]],
  ['compression.lz4.level', ['9', long]],
  ['compression.type', ['producer', oneOf('uncompressed', 'zstd', 'lz4', 'snappy', 'gzip', 'producer')]],
  ['compression.zstd.level', ['3', long]],
  ['delete.retention.ms', ['86400000', notNegative]],
  ['file.delete.delay.ms', ['60000', notNegative]],
  ['flush.messages', ['9223372036854775807', notNegative]],
  ['flush.ms', ['9223372036854775807', notNegative]],
  ['follower.replication.throttled.replicas', ['', anything]],
  ['index.interval.bytes', ['4096', notNegative]],
  ['leader.replication.throttled.replicas', ['', anything]],
  ['local.retention.bytes', ['-2', long]],
  ['local.retention.ms', ['-2', long]],
  ['max.compaction.lag.ms', ['9223372036854775807', notNegative]],
  ['max.message.bytes', ['1048588', notNegative]],
  ['message.timestamp.after.max.ms', ['3600000', notNegative]],
  ['message.timestamp.before.max.ms', ['9223372036854775807', notNegative]],
  ['message.timestamp.type', ['CreateTime', oneOf('CreateTime', 'LogAppendTime')]],
  ['min.cleanable.dirty.ratio', ['0.5', ratio]],
  ['min.compaction.lag.ms', ['0', notNegative]],
  ['min.insync.replicas', ['1', (value) => notNegative(value) && Number(value) >= 1]],
  ['preallocate', ['false', flag]],
  ['remote.log.copy.disable', ['false', flag]],
  ['remote.log.delete.on.disable', ['false', flag]],
  ['remote.storage.enable', ['false', flag]],
  ['retention.bytes', ['-1', long]],
  ['retention.ms', ['604800000', long]],
  ['segment.bytes', ['1073741824', (value) => notNegative(value) && Number(value) >= 1_048_576]],
  ['segment.index.bytes', ['10485760', notNegative]],
  ['segment.jitter.ms', ['0', notNegative]],
  ['segment.ms', ['604800000', notNegative]],
  ['unclean.leader.election.enable', ['false', flag]],
])

/** Why a broker would not take these configs; `undefined` when it would. */
export function configProblem(configs: Iterable<readonly [string, string]>): string | undefined {
  for (const [name, value] of configs) {
    const entry = known.get(name)
    if (entry === undefined) return `Unknown topic config name: ${name}`
    if (!entry[1](value)) return `Invalid value ${value} for configuration ${name}`
  }
  return undefined
}

/** The overrides of a topic after a change; the change has been checked. */
export function applyChanges(
  overrides: ReadonlyMap<string, string>,
  changes: readonly TopicConfigChange[],
): Map<string, string> {
  const next = new Map(overrides)
  for (const change of changes) {
    if (change.kind === 'set') next.set(change.name, change.value)
    else next.delete(change.name)
  }
  return next
}

/** The value in force. @throws Error for a name that Kafka does not know */
export function effectiveConfig(
  name: string,
  overrides: ReadonlyMap<string, string>,
  brokerDefaults: ReadonlyMap<string, string>,
): string {
  const value = overrides.get(name) ?? brokerDefaults.get(name) ?? known.get(name)?.[0]
  if (value === undefined) throw new Error(`no topic config is called ${name}`)
  return value
}

/** Every config of a topic, as DescribeConfigs answers. */
export function configEntries(
  overrides: ReadonlyMap<string, string>,
  brokerDefaults: ReadonlyMap<string, string>,
): TopicConfigEntry[] {
  return [...known.keys()].map((name) => ({
    name,
    value: effectiveConfig(name, overrides, brokerDefaults),
    source: overrides.has(name) ? 'topic' : brokerDefaults.has(name) ? 'broker-static' : 'default',
    readOnly: false,
    sensitive: false,
  }))
}
