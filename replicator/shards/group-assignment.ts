/** What a member of a flow's group says of itself when it joins. */
export interface GroupMemberState {
  /** Names the member among the others; members that tie are served in the order of their names. */
  readonly name: string
  /** The shards that it may be writing now. */
  readonly owned: readonly number[]
}

/**
 * Shares out shards among members, cooperatively (KIP-429). Whoever owns a shard keeps it, or gets nothing of it and
 * has to give it back; only what nobody owns is given to somebody. So a shard that moves is in nobody's share for one
 * round, and shards that stay are not touched. Once everybody has given back what was not in its share, one more
 * round brings shares that differ by one at most. No other way there moves fewer shards.
 *
 * A shard that two members believe to own is taken from both: whose claim is stale cannot be known here. Pure, and
 * independent of the order of `members`.
 * @param shards their number; they are called 0, 1, 2 ...
 * @returns the share of every member, in ascending order
 */
export function shareOut(
  shards: number,
  members: readonly GroupMemberState[],
): ReadonlyMap<string, readonly number[]> {
  const claims = new Map<number, number>()
  for (const { owned } of members) {
    for (const shard of new Set(owned)) claims.set(shard, (claims.get(shard) ?? 0) + 1)
  }
  const keepable = ({ owned }: GroupMemberState): readonly number[] =>
    [...new Set(owned)].filter((shard) => shard < shards && claims.get(shard) === 1).sort((a, b) => a - b)
  // The larger shares go to those who own most: fewer shards move.
  const ranked = members
    .map((member) => ({ name: member.name, keepable: keepable(member) }))
    .sort((a, b) => b.keepable.length - a.keepable.length || (a.name < b.name ? -1 : 1))
  const floor = Math.floor(shards / Math.max(1, members.length))
  const larger = members.length === 0 ? 0 : shards % members.length
  const shares = ranked.map(({ name, keepable }, rank) => {
    const quota = rank < larger ? floor + 1 : floor
    return { name, quota, share: keepable.slice(0, quota) }
  })
  const free = Array.from({ length: shards }, (_, shard) => shard).filter((shard) => !claims.has(shard))
  for (const shard of free) {
    const poorest = shares
      .filter(({ share, quota }) => share.length < quota)
      .reduce<(typeof shares)[number] | undefined>(
        (least, one) => (least === undefined || one.share.length < least.share.length ? one : least),
        undefined,
      )
    poorest?.share.push(shard)
  }
  return new Map(shares.map(({ name, share }) => [name, share.sort((a, b) => a - b)]))
}
