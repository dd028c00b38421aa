import type { Cluster } from '../kafka/cluster.ts'
import type { GroupView } from '../kafka/consumer-groups.ts'
import { targetOffset } from '../records/offsets.ts'
import type { FollowEvent, TargetGroup } from './follow-group.ts'
import type { GroupPartition } from './own-commits.ts'

type Looked = Omit<Extract<FollowEvent, { kind: 'looked' }>, 'atMs'>

/**
 * How groups stand on the target, in two rounds of requests whatever their number. Those that could not be asked are
 * left out.
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
  const looked = new Map<GroupPartition, Looked>()
  groups.forEach((group, index) => {
    const view = described[index]?.result
    const offsets = committed[index]?.result
    if (view?.ok !== true || offsets?.ok !== true) return
    const kind = groupKind(view.value)
    const found = new Map(
      offsets.value.map(({ topic, partition, result }) => [`${topic}/${partition}`, result]),
    )
    for (const at of byGroup.get(group) ?? []) {
      const result = found.get(`${at.topic}/${at.partition}`)
      if (result !== undefined && !result.ok) continue
      const commit = result?.value
      looked.set(at, {
        kind: 'looked',
        group: kind,
        commit:
          commit === undefined
            ? undefined
            : { offset: targetOffset(commit.offset), metadata: commit.metadata },
      })
    }
  })
  return looked
}

/** What a group is for those who follow groups of consumers. */
export function groupKind(view: GroupView): TargetGroup {
  if (view.kind === 'missing') return 'absent'
  if (view.kind === 'other') return 'foreign'
  // A group that only ever committed has no protocol type.
  if (view.protocolType !== '' && view.protocolType !== 'consumer') return 'foreign'
  return view.members.length > 0 ? 'has-members' : 'empty'
}
