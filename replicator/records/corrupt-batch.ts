/**
 * A record batch whose bytes contradict the format. The broker that stores it stores it so: asking the same
 * replica again does not help. What to do: compare with another replica, or skip the batch knowingly.
 * The thrower knows only bytes; callers add cluster, topic and partition.
 */
export class CorruptBatchError extends Error {
  override readonly name = 'CorruptBatchError'
  /** What contradicts what, without the place. */
  readonly reason: string
  /** Bytes from the start of the (decompressed) records, where the place is known. */
  readonly position: number | undefined

  constructor(reason: string, { position, cause }: { position?: number; cause?: unknown } = {}) {
    const place = position === undefined ? '' : ` at byte ${position} of its records`
    super(`Corrupt record batch: ${reason}${place}`, cause === undefined ? undefined : { cause })
    this.reason = reason
    this.position = position
  }
}

/**
 * The records of a batch would take more memory than allowed. Retrying does not help; raising the limit does,
 * if such a batch is wanted.
 */
export class DecompressionLimitError extends Error {
  override readonly name = 'DecompressionLimitError'
  readonly bytesMax: number

  constructor(codec: string, bytesMax: number) {
    super(`Records compressed with ${codec} decompress to more than the ${bytesMax} bytes allowed`)
    this.bytesMax = bytesMax
  }
}
