/** Answers fuller than this share of what was asked for show a backlog. */
const FULL_SHARE = 0.6
/** Emptier ones show that the reader keeps up. */
const IDLE_SHARE = 0.15
/** No partition is asked for less, so that many partitions on one connection do not shred into tiny reads. */
const PARTITION_BYTES_MIN = 256 * 1024

/**
 * How much the next fetch asks for, given what the last one brought: doubled while answers come back full, halved
 * while they are nearly empty. Bytes are reserved before a fetch is sent, and idle long polls must not hold the
 * budget that busy ones need.
 */
export function nextFetchBytes(
  lastAsked: number,
  lastReceived: number,
  bounds: { readonly min: number; readonly max: number },
): number {
  if (lastReceived >= lastAsked * FULL_SHARE) return Math.min(bounds.max, lastAsked * 2)
  if (lastReceived <= lastAsked * IDLE_SHARE) return Math.max(bounds.min, Math.floor(lastAsked / 2))
  return lastAsked
}

/** One partition's share of a fetch: all of it alone, a fair part among few, never less than a useful read. */
export function partitionFetchBytes(fetchBytes: number, partitions: number): number {
  return Math.max(PARTITION_BYTES_MIN, Math.ceil(fetchBytes / Math.min(partitions, 4)))
}
