/**
 * The partition that Java's producer (and so Connect) puts a key into. Whoever writes beside it must choose the same:
 * entries of one key in two partitions are read in any order.
 * @throws RangeError without partitions
 */
export function partitionOfKey(key: Buffer, partitions: number): number {
  if (!(partitions >= 1)) throw new RangeError(`${partitions} partitions`)
  return (murmur2(key) & 0x7fff_ffff) % partitions
}

/** MurmurHash2 with 32 bits and Kafka's seed (org.apache.kafka.common.utils.Utils), as a signed number. */
export function murmur2(bytes: Buffer): number {
  const m = 0x5bd1_e995
  const whole = bytes.length & ~3
  let hash = 0x9747_b28c ^ bytes.length
  for (let at = 0; at < whole; at += 4) {
    let word = Math.imul(bytes.readInt32LE(at), m)
    word ^= word >>> 24
    hash = Math.imul(hash, m) ^ Math.imul(word, m)
  }
  const left = bytes.length - whole
  if (left > 0) hash = Math.imul(hash ^ bytes.readUIntLE(whole, left), m)
  hash ^= hash >>> 13
  hash = Math.imul(hash, m)
  return hash ^ (hash >>> 15)
}
