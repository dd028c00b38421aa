import { CorruptBatchError } from './corrupt-batch.ts'

const magic = 0x184d2204
const uncompressedBlock = 0x8000_0000
/** The format's own limit: no input byte can stand for more output (a length byte of 255 in a match). */
const expansionMax = 255

/**
 * An upper bound of the bytes an LZ4 frame decompresses to, from its block headers alone: close for what
 * Java writes (every block but the last is full), and never too low.
 * Source: LZ4 frame format 1.6. Throws {@link CorruptBatchError} for a frame that does not add up.
 */
export const lz4FrameBytesBound = (frame: Buffer): number => {
  if (frame.length < 7 || frame.readUInt32LE(0) !== magic) throw new CorruptBatchError('no LZ4 frame')
  const flags = frame[4]!
  if (flags >> 6 !== 1) throw new CorruptBatchError(`LZ4 frame version ${flags >> 6}`)
  const blockBytesMax = 2 ** (8 + 2 * ((frame[5]! >> 4) & 0b111))
  const checksumBytes = (flags & 0b1_0000) === 0 ? 0 : 4
  let at = 7 + ((flags & 0b1000) === 0 ? 0 : 8) + ((flags & 0b1) === 0 ? 0 : 4)
  let bound = 0
  for (;;) {
    if (at + 4 > frame.length) throw new CorruptBatchError('the LZ4 frame has no end')
    const header = frame.readUInt32LE(at)
    if (header === 0) break
    const size = header & ~uncompressedBlock
    bound += Math.min(blockBytesMax, header >= uncompressedBlock ? size : size * expansionMax)
    at += 4 + size + checksumBytes
  }
  const end = at + 4 + ((flags & 0b100) === 0 ? 0 : 4)
  if (end !== frame.length) throw new CorruptBatchError('bytes after the end of the LZ4 frame')
  return bound
}
