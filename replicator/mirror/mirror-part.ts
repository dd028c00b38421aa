/** One kind of MirrorMaker 2's topics, as far as a shard has to do with it. */
export interface MirrorPart {
  /** After which it has its next turn, in milliseconds. */
  readonly everyMs: number
  /** Writes what is due. @throws KafkaError; RangeError for what the format cannot carry; the signal's reason */
  turn(signal: AbortSignal): Promise<void>
  /** Writes what a next owner of the shard would not know of. @throws as {@link turn} */
  finish(signal: AbortSignal): Promise<void>
  /** Beside the turns. @throws the signal's reason */
  readonly beside?: (signal: AbortSignal) => Promise<never>
  close(): void
}
