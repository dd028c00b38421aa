import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import { judgeGroups } from '../groups/selected-groups.ts'
import { groupKind } from '../groups/target-looks.ts'
import type { Cluster } from '../kafka/cluster.ts'
import type { CommittedOffset, GroupView } from '../kafka/consumer-groups.ts'
import { KafkaError } from '../kafka/errors.ts'
import { targetOffset } from '../records/offsets.ts'
import type { Flow } from '../topology/model.ts'
import {
  type ExplainFacts,
  type Explanation,
  explainPartition,
  type GroupReason,
  type GroupStanding,
  type Learned,
  leftAlone,
} from './explain-partition.ts'
import { type FollowedMemory, type FollowedPartition, readFollowed } from './followed-memory.ts'
import type { OffsetLookup } from './offset-lookup.ts'

/** How a flow selects and names topics. */
export interface CopyNames {
  /** The partitions that the flow takes of a source topic; `undefined` when it does not take the topic. */
  readonly select: (topic: string) => ((partition: number) => boolean) | undefined
  readonly targetNameOf: (topic: string) => string
  /** `undefined` when the flow makes no copy of this name. */
  readonly sourceNameOf: (targetTopic: string) => string | undefined
}

export interface ExplainGroupOptions {
  readonly group: string
  readonly flow: Pick<Flow, 'id' | 'groups'>
  /** Its topics keep their names and are written in several regions: flows follow no groups of such. */
  readonly isShared: boolean
  readonly source: Cluster
  readonly target: Cluster
  /** `causeway.<topology>.groups` */
  readonly groupsTopic: string
  readonly lookup: Pick<OffsetLookup, 'translate'>
  readonly names: CopyNames
  readonly clock: Clock
  readonly random: Random
}

export interface ExplainedPartition extends Explanation {
  /** Its name on the source. */
  readonly topic: string
  readonly partition: number
  readonly targetTopic: string
  readonly facts: ExplainFacts
}

export interface ExplainedGroup {
  readonly group: string
  readonly source: Learned<GroupStanding>
  readonly target: GroupStanding
  /** Why the flow leaves the group alone, whatever it has committed. */
  readonly leftAlone: GroupReason | undefined
  /** By topic and number. */
  readonly partitions: readonly ExplainedPartition[]
  /** What the group has committed on the target of topics that the flow does not write, as `topic/partition`. */
  readonly leftOut: readonly string[]
}

interface GroupOnCluster {
  readonly standing: GroupStanding
  /** By `topic/partition`. */
  readonly commits: ReadonlyMap<string, Committed>
}

interface Committed extends CommittedOffset {
  readonly topic: string
  readonly partition: number
}

interface Place {
  readonly topic: string
  readonly partition: number
}

/**
 * Why a group stands where it does on a flow's target. Changes nothing. The source may be gone.
 * @throws KafkaError when the target cannot be asked; MapFormatError when a newer Causeway wrote the map; the signal's
 *   reason
 */
export async function explainGroup(
  options: ExplainGroupOptions,
  signal: AbortSignal,
): Promise<ExplainedGroup> {
  const { group, flow, source, target, groupsTopic: topic, names, clock, random } = options
  const [onSource, onTarget, memory] = await Promise.all([
    learned(() => groupOn(source, group, signal), signal),
    groupOn(target, group, signal),
    readFollowed({ cluster: target, topic, flow: flow.id, group, clock, random }, signal),
  ])
  const places = placesOf(onSource, onTarget, memory, names)
  const [topicIds, starts] = await Promise.all([
    onSource.kind === 'known' ? learned(() => idsOf(source, places, signal), signal) : onSource,
    startsOf(target, places, names, signal),
  ])
  const verdict = judgeGroups(flow.groups)(group)
  const selection = verdict === 'followed' && options.isShared ? 'shared-topics' : verdict
  const partitions: ExplainedPartition[] = []
  for (const place of places) {
    const { commit, ...facts } = factsOf(place, { onSource, onTarget, memory, names, starts, selection })
    const topicId = topicIds.kind === 'known' ? topicIds.value.get(place.topic) : undefined
    const isAsked = commit !== undefined && facts.copied === 'yes'
    const whereabouts = isAsked
      ? await options.lookup.translate(place.topic, place.partition, commit.offset, {
          signal,
          ...(topicId !== undefined && { topicId }),
        })
      : undefined
    const complete: ExplainFacts = { ...facts, place: whereabouts }
    const targetTopic = names.targetNameOf(place.topic)
    partitions.push({ ...place, targetTopic, facts: complete, ...explainPartition(complete) })
  }
  const standing: Learned<GroupStanding> =
    onSource.kind === 'known' ? { kind: 'known', value: onSource.value.standing } : onSource
  return {
    group,
    source: standing,
    target: onTarget.standing,
    leftAlone: leftAlone({
      selection,
      source: standing.kind === 'known' ? standing.value : undefined,
      target: onTarget.standing,
    }),
    partitions,
    leftOut: [...onTarget.commits]
      .filter(([, at]) => names.sourceNameOf(at.topic) === undefined)
      .map(([name]) => name)
      .toSorted(),
  }
}

/** What a cluster that is away could have told is unknown. */
async function learned<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<Learned<T>> {
  try {
    return { kind: 'known', value: await ask() }
  } catch (error) {
    signal.throwIfAborted()
    if (!(error instanceof KafkaError)) throw error
    return { kind: 'unknown', reason: error.message }
  }
}

async function groupOn(cluster: Cluster, group: string, signal: AbortSignal): Promise<GroupOnCluster> {
  const [[description], [offsets]] = await Promise.all([
    cluster.describeGroups([group], signal),
    cluster.groupOffsets([{ group, partitions: 'all' }], { requireStable: false }, signal),
  ])
  if (description === undefined || offsets === undefined)
    throw new Error(`${cluster.alias} answered less than it was asked`)
  if (!description.result.ok) throw description.result.error
  if (!offsets.result.ok) throw offsets.result.error
  const commits = new Map<string, Committed>()
  for (const { topic, partition, result } of offsets.result.value) {
    if (!result.ok) throw result.error
    if (result.value !== undefined)
      commits.set(nameOf({ topic, partition }), { topic, partition, ...result.value })
  }
  return { standing: standingOf(description.result.value), commits }
}

function standingOf(view: GroupView): GroupStanding {
  const kind = groupKind(view)
  if (view.kind === 'missing') return { kind, members: 0, type: '', state: '' }
  if (view.kind === 'other') return { kind, members: 0, type: view.type, state: view.state }
  const type = kind === 'foreign' ? view.protocolType : view.kind
  return { kind, members: view.members.length, type, state: view.state }
}

/** Everything that is told about on either side, or was once. */
function placesOf(
  onSource: Learned<GroupOnCluster>,
  { commits }: GroupOnCluster,
  memory: Learned<FollowedMemory>,
  { sourceNameOf }: CopyNames,
): readonly Place[] {
  const places = new Map<string, Place>()
  const add = ({ topic, partition }: Place) => places.set(nameOf({ topic, partition }), { topic, partition })
  if (onSource.kind === 'known') onSource.value.commits.forEach(add)
  for (const { topic, partition } of commits.values()) {
    const original = sourceNameOf(topic)
    if (original !== undefined) add({ topic: original, partition })
  }
  if (memory.kind === 'known') memory.value.forth.forEach(add)
  return [...places.values()].toSorted((one, other) =>
    one.topic < other.topic ? -1 : one.topic > other.topic ? 1 : one.partition - other.partition,
  )
}

interface Gathered {
  readonly onSource: Learned<GroupOnCluster>
  readonly onTarget: GroupOnCluster
  readonly memory: Learned<FollowedMemory>
  readonly names: CopyNames
  readonly starts: ReadonlyMap<string, bigint>
  readonly selection: ExplainFacts['selection']
}

function factsOf(
  place: Place,
  { onSource, onTarget, memory, names, starts, selection }: Gathered,
): Omit<ExplainFacts, 'place'> & { readonly commit: Committed | undefined } {
  const name = nameOf(place)
  const onCopy = nameOf({ topic: names.targetNameOf(place.topic), partition: place.partition })
  const takes = names.select(place.topic)
  const commit = onSource.kind === 'known' ? onSource.value.commits.get(name) : undefined
  const stands = onTarget.commits.get(onCopy)
  const commitsOf = (all: readonly FollowedPartition[], wanted: string) =>
    all.find((one) => nameOf(one) === wanted)?.commits ?? []
  return {
    commit,
    selection,
    copied: takes === undefined ? 'not-the-topic' : takes(place.partition) ? 'yes' : 'not-the-partition',
    source:
      onSource.kind === 'unknown'
        ? onSource
        : {
            kind: 'known',
            value: {
              group: onSource.value.standing,
              commit: commit && { position: commit.offset, metadata: commit.metadata },
            },
          },
    target: {
      group: onTarget.standing,
      commit: stands && { offset: targetOffset(stands.offset), metadata: stands.metadata },
      start: starts.get(onCopy),
    },
    remembered:
      memory.kind === 'unknown' ? memory : { kind: 'known', value: commitsOf(memory.value.forth, name) },
    carriedBack: memory.kind === 'unknown' ? [] : commitsOf(memory.value.back, onCopy),
  }
}

/** The group's commits are about the topics as they are now, not about former ones of their names. */
async function idsOf(
  source: Cluster,
  places: readonly Place[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const found = await source.describeTopics([...new Set(places.map(({ topic }) => topic))], signal)
  const ids = new Map<string, string>()
  for (const [name, lookup] of found)
    if (lookup.kind === 'found' && lookup.topic.id !== undefined) ids.set(name, lookup.topic.id)
  return ids
}

/** Where the copies' logs begin, by `topic/partition` on the target, as far as they are there. */
async function startsOf(
  target: Cluster,
  places: readonly Place[],
  { targetNameOf }: CopyNames,
  signal: AbortSignal,
): Promise<ReadonlyMap<string, bigint>> {
  const copies = [...new Set(places.map(({ topic }) => targetNameOf(topic)))]
  const found = await target.describeTopics(copies, signal)
  const queries = places.flatMap(({ topic, partition }) => {
    const copy = targetNameOf(topic)
    const lookup = found.get(copy)
    const isThere = lookup?.kind === 'found' && partition < lookup.topic.partitions.length
    return isThere ? [{ topic: copy, partition, at: 'earliest' as const }] : []
  })
  const answers = await target.listOffsets(queries, signal)
  return new Map(
    answers.flatMap(({ result, ...at }) => (result.ok ? [[nameOf(at), result.value.offset] as const] : [])),
  )
}

const nameOf = ({ topic, partition }: Place): string => `${topic}/${partition}`
