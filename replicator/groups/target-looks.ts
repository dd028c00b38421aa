import type { Cluster } from '../kafka/cluster.ts'
import type { GroupDescription, GroupOffsetsAnswer, GroupView } from '../kafka/consumer-groups.ts'
import type { KafkaError } from '../kafka/errors.ts'
import { targetOffset } from '../records/offsets.ts'
import type { FollowEvent, TargetGroup } from './follow-group.ts'
import type { GroupPartition } from './own-commits.ts'

/** `refused`: the target does not tell. */
export type Looked =
  | Omit<Extract<FollowEvent, { kind: 'looked' }>, 'atMs'>
  | { readonly kind: 'refused'; readonly error: KafkaError }

/**
 * How groups stand on the target, in two rounds of requests whatever their number. Every one that is wanted has an
 * answer.
 * @param wanted names of topics are the target's
 * @throws KafkaError when no broker can be asked
 */
export async function lookAtTarget(
  cluster: Pick<Cluster, 'describeGroups' | 'groupOffsets'>,
  wanted: readonly GroupPartition[],
  signal: AbortSignal,
): Promise<ReadonlyMap<GroupPartition, Looked>> {
  const byGroup = Map.groupBy(wanted, ({ group }) => group)
  const groups = [...byGroup.keys()]
  const queries = groups.map((group) => ({ group, partitions: byGroup.get(group) ?? [] }))
  const [described, committed] = await Promise.all([
    cluster.describeGroups(groups, signal),
    cluster.groupOffsets(queries, { requireStable: false }, signal),
  ])
  return new Map(
    groups.flatMap((group, index) => {
      const [view, offsets] = [described[index]?.result, committed[index]?.result]
      if (view === undefined || offsets === undefined) throw new Error(`Nothing was answered about ${group}`)
      return (byGroup.get(group) ?? []).map((at) => [at, lookedOf(at, view, offsets)] as const)
    }),
  )
}

function lookedOf(
  { topic, partition }: GroupPartition,
  view: GroupDescription['result'],
  offsets: GroupOffsetsAnswer['result'],
): Looked {
  if (!view.ok) return { kind: 'refused', error: view.error }
  if (!offsets.ok) return { kind: 'refused', error: offsets.error }
  const result = offsets.value.find((each) => each.topic === topic && each.partition === partition)?.result
  if (result?.ok === false) return { kind: 'refused', error: result.error }
  const committed = result?.value
  const commit = committed && { offset: targetOffset(committed.offset), metadata: committed.metadata }
  return { kind: 'looked', group: groupKind(view.value), commit }
}

/** What a group is for those who follow groups of consumers. */
export function groupKind(view: GroupView): TargetGroup {
  if (view.kind === 'missing') return 'absent'
  if (view.kind === 'other') return 'foreign'
  // A group that only ever committed has no protocol type.
  if (view.protocolType !== '' && view.protocolType !== 'consumer') return 'foreign'
  return view.members.length > 0 ? 'has-members' : 'empty'
}
