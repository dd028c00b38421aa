import type { DecodedRecord } from '../records/decode.ts'
import { shardOf } from '../shards/shard-of.ts'
import type { FlowId } from '../topology/model.ts'
import type { FollowDirection } from './follow-direction.ts'
import type { Followed } from './follow-group.ts'
import type { Remembered } from './followed-groups.ts'
import { decodeFollowed, decodeFollowedKey, type FollowedKey } from './followed-record.ts'
import { partitionOf } from './shard-places.ts'

export interface LedgerMemoryOptions {
  readonly flow: FlowId
  /** As many as the flow has now. */
  readonly shards: number
  /** Whose memory this is. */
  readonly shard: number
}

/**
 * What a shard remembers of commits, from the partitions of the ledger topic. With another number of shards a source
 * partition has another shard: what its former one wrote stays where it is, and counts as much as what is written in
 * the shard's own partition. Without it, our own commits would be taken for the target's.
 */
export class LedgerMemory {
  readonly #options: LedgerMemoryOptions
  /** By direction, then by `topic/partition`, then by group, then by partition of the ledger topic. */
  readonly #found: Record<
    FollowDirection['name'],
    Map<string, Map<string, Map<number, readonly Followed[]>>>
  > = {
    forth: new Map(),
    back: new Map(),
  }

  constructor(options: LedgerMemoryOptions) {
    this.#options = options
  }

  /** Records in the order of their partition's log. @throws FollowedFormatError */
  add(ledgerPartition: number, { key, value }: Pick<DecodedRecord, 'key' | 'value'>): void {
    if (key === null) return
    const at = decodeFollowedKey(key)
    if (at.flow !== this.#options.flow || !this.#mayBeOurs(ledgerPartition, at)) return
    const byPartition = this.#found[at.direction]
    const byGroup = byPartition.get(partitionOf(at)) ?? new Map<string, Map<number, readonly Followed[]>>()
    byPartition.set(partitionOf(at), byGroup)
    const found = byGroup.get(at.group) ?? new Map<number, readonly Followed[]>()
    byGroup.set(at.group, found)
    if (value === null) found.delete(ledgerPartition)
    else found.set(ledgerPartition, decodeFollowed(value))
  }

  /**
   * Forgets what was not refreshed for so long that the commit itself is gone, and gives what of it stands in the
   * shard's own partition of the ledger: deleted there, the ledger stays as small as what is followed.
   * @param beforeMs wall time, in milliseconds
   */
  takeOutdated(beforeMs: number): readonly FollowedKey[] {
    const { flow, shard } = this.#options
    const outdated: FollowedKey[] = []
    for (const direction of ['forth', 'back'] as const) {
      for (const [place, byGroup] of this.#found[direction]) {
        const [, topic = '', partition = ''] = /^(.*)\/(\d+)$/.exec(place) ?? []
        for (const [group, found] of byGroup) {
          if ([...found.values()].flat().some(({ atMs }) => atMs >= beforeMs)) continue
          byGroup.delete(group)
          if (found.has(shard)) outdated.push({ flow, direction, group, topic, partition: Number(partition) })
        }
      }
    }
    return outdated
  }

  /** Those of several shards in the order of time. */
  remembered(direction: FollowDirection['name']): Remembered {
    const inOrder = (found: ReadonlyMap<number, readonly Followed[]>): readonly Followed[] => {
      const all = [...found.values()]
      return all.length === 1 ? (all[0] ?? []) : all.flat().sort((one, other) => one.atMs - other.atMs)
    }
    return new Map(
      [...this.#found[direction]].map(([partition, byGroup]) => [
        partition,
        new Map([...byGroup].map(([group, found]) => [group, inOrder(found)])),
      ]),
    )
  }

  /** Copies' names, by which commits that lead back go, do not tell whose shard it is: all of these are kept. */
  #mayBeOurs(ledgerPartition: number, { direction, topic, partition }: FollowedKey): boolean {
    const { shard, shards } = this.#options
    return ledgerPartition === shard || direction === 'back' || shardOf(topic, partition, shards) === shard
  }
}
