/**
 * The shard that owns a source partition. Depends on nothing but its arguments, so that every process, version and
 * restart agrees: FNV-1a (32 bits) over `topic/partition`, modulo the number of shards.
 */
export function shardOf(topic: string, partition: number, shards: number): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(`${topic}/${partition}`)) {
    hash = Math.imul(hash ^ byte, 0x01000193)
  }
  return (hash >>> 0) % shards
}
