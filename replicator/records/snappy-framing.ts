import { CorruptBatchError } from './corrupt-batch.ts'

/**
 * Java frames snappy in blocks ("xerial" framing, snappy-java's SnappyOutputStream): a magic and two version
 * numbers, then blocks, each after its length. Other clients write one raw block. Readers take both.
 */
const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
const magicBytes = 8
const blockBytes = 32 * 1024

/** The compressed blocks in order; a payload without the framing is one block. */
export const snappyBlocks = (payload: Buffer): readonly Buffer[] => {
  if (!payload.subarray(0, magicBytes).equals(header.subarray(0, magicBytes))) return [payload]
  if (payload.length < header.length) throw new CorruptBatchError('the snappy framing is cut off')
  const blocks: Buffer[] = []
  let at = header.length
  while (at < payload.length) {
    const bytes = at + 4 <= payload.length ? payload.readInt32BE(at) : -1
    if (bytes < 0 || at + 4 + bytes > payload.length) throw new CorruptBatchError('a snappy block is cut off')
    blocks.push(payload.subarray(at + 4, at + 4 + bytes))
    at += 4 + bytes
  }
  return blocks
}

/** The bytes a raw block says it decompresses to; the decompressor refuses a block that does not keep to it. */
export const snappyBlockBytes = (block: Buffer): number => {
  let bytes = 0
  for (let i = 0; i < 5; i += 1) {
    const byte = block[i]
    if (byte === undefined) break
    bytes += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return bytes
  }
  throw new CorruptBatchError('a snappy block without a length')
}

/** Frames as Java does, with `compress` for each block. */
export const frameSnappy = (payload: Buffer, compress: (block: Buffer) => Buffer): Buffer => {
  const parts: Buffer[] = [header]
  for (let at = 0; at < payload.length; at += blockBytes) {
    const block = compress(payload.subarray(at, at + blockBytes))
    const length = Buffer.alloc(4)
    length.writeInt32BE(block.length)
    parts.push(length, block)
  }
  return Buffer.concat(parts)
}
