import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { compressFrameSync, decompressFrameSync } from 'lz4-napi'
import { compressSync, uncompressSync } from 'snappy'
import type { Codec } from './batch-header.ts'
import { CorruptBatchError, DecompressionLimitError } from './corrupt-batch.ts'
import { lz4FrameBytesBound } from './lz4-frame.ts'
import { frameSnappy, snappyBlockBytes, snappyBlocks } from './snappy-framing.ts'

/*
 * The decompressors were chosen for how they fail. The WebAssembly ones that come with the wire library trap
 * on bad input, lose memory with each trap, and after some thousands refuse good input too; these return an
 * error and go on.
 */

/** Compresses the records of a batch as a Java producer would frame them. */
export const compress = (codec: Codec, records: Buffer): Buffer => {
  switch (codec) {
    case 'none':
      return records
    case 'gzip':
      return gzipSync(records)
    case 'snappy':
      return frameSnappy(records, (block) => compressSync(block, { copyOutputData: true }))
    case 'lz4':
      return compressFrameSync(records)
    case 'zstd':
      return zstdCompressSync(records)
  }
}

const unsnappy = (payload: Buffer, bytesMax: number): Buffer => {
  const blocks = snappyBlocks(payload)
  const bytes = blocks.reduce((sum, block) => sum + snappyBlockBytes(block), 0)
  if (bytes > bytesMax) throw new DecompressionLimitError('snappy', bytesMax)
  const plain = blocks.map(
    (block) => uncompressSync(block, { asBuffer: true, copyOutputData: true }) as Buffer,
  )
  return plain.length === 1 ? plain[0]! : Buffer.concat(plain)
}

const unlz4 = (payload: Buffer, bytesMax: number): Buffer => {
  if (lz4FrameBytesBound(payload) > bytesMax) throw new DecompressionLimitError('lz4', bytesMax)
  return decompressFrameSync(payload)
}

const isTooLarge = (error: unknown): boolean =>
  error instanceof RangeError && 'code' in error && error.code === 'ERR_BUFFER_TOO_LARGE'

/**
 * The records of a batch in plain. Memory stays within about `bytesMax` whatever the payload claims.
 * For `none` the payload itself is returned.
 *
 * Throws {@link CorruptBatchError} for a payload that is not of this codec, and
 * {@link DecompressionLimitError} for one that is larger than allowed (for lz4: that its block sizes allow to
 * be larger).
 */
export const decompress = (codec: Codec, payload: Buffer, bytesMax: number): Buffer => {
  try {
    switch (codec) {
      case 'none':
        return payload
      case 'gzip':
        return gunzipSync(payload, { maxOutputLength: bytesMax })
      case 'snappy':
        return unsnappy(payload, bytesMax)
      case 'lz4':
        return unlz4(payload, bytesMax)
      case 'zstd':
        return zstdDecompressSync(payload, { maxOutputLength: bytesMax })
    }
  } catch (error) {
    if (error instanceof CorruptBatchError || error instanceof DecompressionLimitError) throw error
    if (isTooLarge(error)) throw new DecompressionLimitError(codec, bytesMax)
    throw new CorruptBatchError(`the records are not valid ${codec}`, { cause: error })
  }
}
