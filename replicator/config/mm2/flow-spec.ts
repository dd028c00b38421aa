import { formatNaming } from '../../topology/naming.ts'
import type { FlowSpec, NameSpec } from '../../topology/spec.ts'
import { type ConnectorSettings, clientSetting, type Pair } from './declaration.ts'
import { expressionsOf, listOf, type SelectedNames, selectNames } from './name-lists.ts'
import { booleanOf, type Findings, integerOf, type Setting } from './setting.ts'

/** MirrorMaker 2's DefaultTopicFilter and DefaultGroupFilter (4.0 and later). */
const defaultTopics = { include: '.*', exclude: 'mm2.*\\.internal, .*\\.replica, __.*' }
const defaultGroups = { include: '.*', exclude: 'console-consumer-.*, connect-.*, __.*' }

/** What a flow of the topology comes to, and the groups that its checkpoints are of. */
export interface ReadFlow {
  readonly spec: FlowSpec
  readonly groups: SelectedNames
}

/** Reads a pair's copying connector as a flow; what is wrong goes to the findings. */
export function readFlow(pair: Pair, findings: Findings): ReadFlow {
  const copying: ConnectorSettings = pair.copying ?? new Map()
  const isIdentity = policyOf(copying.get('replication.policy.class')) === 'identity'
  const separator = separatorOf(copying.get('replication.policy.separator'), findings)
  const topics = readNames(copying, 'topics', defaultTopics, findings)
  const groups = readNames(pair.checkpoints ?? new Map(), 'groups', defaultGroups, findings)
  const syncsGroups =
    pair.checkpoints !== undefined &&
    booleanOf(pair.checkpoints.get('sync.group.offsets.enabled'), false, silent)
  const heartbeats = booleanOf(copying.get('heartbeats.replication.enabled'), true, findings)
  const factor = factorOf(copying.get('replication.factor'), findings)
  const startAt = startOf(copying, findings)
  return {
    groups,
    spec: {
      source: pair.source,
      target: pair.target,
      topics: topics.ok
        ? isIdentity
          ? withoutHeartbeats(topics.selections, separator)
          : topics.selections
        : [],
      groups: groups.ok && syncsGroups ? groups.selections : [],
      naming: isIdentity ? 'identity' : formatNaming({ kind: 'prefixed', separator }),
      replicationFactor: factor,
      configSync: configSyncOf(copying, findings),
      aclSync: {
        mode: booleanOf(copying.get('sync.topic.acls.enabled'), false, findings) ? 'sync' : 'off',
      },
      ...(startAt === undefined ? {} : { startAt }),
      copiesHeartbeats: heartbeats || (isIdentity && takesHeartbeats(topics)),
    },
  }
}

const takesHeartbeats = (topics: SelectedNames): boolean =>
  topics.ok && topics.selections.some(({ name }) => name === 'heartbeats')

/** -1 is Kafka's own word for the brokers' default (KIP-464). */
function factorOf(setting: Setting | undefined, findings: Findings): number | 'broker-default' {
  if (setting === undefined || setting.isBroken || setting.value.trim() === '-1') return 'broker-default'
  return integerOf(setting, 1, findings, { min: 1, max: 32_767 })
}

const silent: Findings = { problems: [], warnings: [] }

/** Which naming a policy class is; other classes are refused where keys are judged. */
function policyOf(setting: Setting | undefined): 'identity' | 'prefixed' {
  return setting?.value.trim().endsWith('IdentityReplicationPolicy') === true ? 'identity' : 'prefixed'
}

function separatorOf(setting: Setting | undefined, { problems }: Findings): string {
  if (setting === undefined || setting.isBroken) return '.'
  if (/^[a-zA-Z0-9._-]*$/.test(setting.value)) return setting.value
  const message = 'topic names allow only letters, digits, ".", "_" and "-"'
  problems.push({ place: setting.place, message })
  return '.'
}

function readNames(
  settings: ConnectorSettings,
  key: 'topics' | 'groups',
  defaults: { readonly include: string; readonly exclude: string },
  { problems, warnings }: Findings,
): SelectedNames {
  const include = settings.get(key)
  const exclude = settings.get(`${key}.exclude`)
  const none: SelectedNames = { ok: true, selections: [], excluded: [] }
  if (include?.isBroken === true || exclude?.isBroken === true) return none
  const selected = selectNames(include?.value ?? defaults.include, exclude?.value ?? defaults.exclude)
  if (selected.ok) {
    const [name] = selected.excluded
    if (name !== undefined && include !== undefined) {
      const message = `"${name}" is listed and excluded at the same time: it is left out`
      warnings.push({ place: include.place, message })
    }
    return selected
  }
  const wrong = selected.of === 'include' ? include : exclude
  if (wrong === undefined) return none
  const { reason, hint } = selected
  problems.push({
    place: wrong.place,
    message: `a Java expression that cannot be translated: ${reason}`,
    ...(hint === undefined ? {} : { hint }),
  })
  return selected
}

/** Under IdentityReplicationPolicy heartbeats alone are renamed: `copiesHeartbeats` takes them. */
function withoutHeartbeats(selections: readonly NameSpec[], separator: string): readonly NameSpec[] {
  const heartbeats = heartbeatsPattern(separator)
  return selections
    .filter(({ name }) => name === undefined || !new RegExp(`^${heartbeats}$`, 'u').test(name))
    .map(({ exclude, ...selection }) =>
      selection.match === undefined
        ? selection
        : { ...selection, exclude: exclude === undefined ? heartbeats : `${exclude}|${heartbeats}` },
    )
}

function heartbeatsPattern(separator: string): string {
  return `(?:.+${separator.replaceAll(/[\\^$.*+?()[\]{}|/]/g, '\\$&')})?heartbeats`
}

function configSyncOf(copying: ConnectorSettings, findings: Findings): NonNullable<FlowSpec['configSync']> {
  const enabled = copying.get('sync.topic.configs.enabled')
  const isOn = booleanOf(enabled, true, findings)
  const list = copying.get('config.properties.exclude')
  const exclude = list === undefined || list.isBroken ? undefined : expressionsOf(list.value)
  if (list !== undefined && exclude?.ok === false) {
    const message = `a Java expression that cannot be translated: ${exclude.reason}`
    findings.problems.push({ place: list.place, message })
  }
  const from = copying.get('use.defaults.from')
  const text = from?.value.trim() ?? 'target'
  if (from?.isBroken === false && text !== 'source' && text !== 'target') {
    findings.problems.push({ place: from.place, message: 'expected source or target' })
  }
  return {
    // Unsaid, it is off for flows that mix regions in topics of one name.
    ...(enabled === undefined ? {} : { mode: isOn ? 'follow' : 'off' }),
    ...(exclude?.ok === true ? { exclude: exclude.expressions } : {}),
    defaultsFrom: text === 'source' ? 'source' : 'target',
  }
}

function startOf(copying: ConnectorSettings, { problems }: Findings): 'earliest' | 'latest' | undefined {
  const setting = clientSetting(copying, 'source', 'consumer', 'auto.offset.reset')
  if (setting === undefined || setting.isBroken) return undefined
  const text = setting.value.trim().toLowerCase()
  if (text === 'earliest' || text === 'latest') return text
  problems.push({ place: setting.place, message: 'expected earliest or latest' })
  return undefined
}

/** Whether the flow would copy nothing because its list of topics is empty, as MirrorMaker 2 allows. */
export function selectsNothing(pair: Pair): boolean {
  const topics = pair.copying?.get('topics')
  return topics?.isBroken === false && listOf(topics.value).length === 0
}
