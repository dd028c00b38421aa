/** Shards fail alike: the first to do so is told of, and then that all of them are well again. */
export function tellShardTroubles(onTrouble: (reason: string) => void, onRecovered: () => void) {
  const troubled = new Set<number>()
  return (shard: number, reason: string | undefined): void => {
    const before = troubled.size
    if (reason === undefined) troubled.delete(shard)
    else troubled.add(shard)
    if (reason !== undefined && before === 0) onTrouble(reason)
    if (before > 0 && troubled.size === 0) onRecovered()
  }
}
