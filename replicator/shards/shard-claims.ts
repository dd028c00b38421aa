/**
 * Which shards of a flow this process may own, as agreed with the flow's other replicas. What it may own it must
 * still take over on the target: an agreement alone fences nobody.
 */
export interface ShardClaims {
  /**
   * Tells `holder` what it may own and what it must give back, until the signal aborts; then gives back everything
   * and leaves. Troubles with the cluster are retried.
   */
  run(holder: ShardHolder, signal: AbortSignal): Promise<void>
  /** What keeps this process from agreeing with the others now. */
  readonly trouble?: string | undefined
}

export interface ShardHolder {
  /** These may be taken over now. Returns at once; taking over goes on in the background. */
  claim(shards: readonly number[]): void
  /** Settles once nothing of these shards is in flight and their progress is written. Others get them afterwards. */
  release(shards: readonly number[]): Promise<void>
  /** The agreement broke: others may own these already. Everything of them stops at once. */
  lose(shards: readonly number[]): void
}

/** For a process that shares its flow with nobody: claims every shard and never gives one back before the end. */
export function everyShard(shards: number): ShardClaims {
  const all = Array.from({ length: shards }, (_, shard) => shard)
  return {
    async run(holder, signal) {
      holder.claim(all)
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve()
        else signal.addEventListener('abort', () => resolve(), { once: true })
      })
      await holder.release(all)
    },
  }
}
