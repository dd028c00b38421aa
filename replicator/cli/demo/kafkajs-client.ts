import kafkajs, { type Kafka } from 'kafkajs'
import { compress, decompress } from '../../records/codec.ts'

const { CompressionCodecs, CompressionTypes, Kafka: KafkaClient, logLevel } = kafkajs

const decompressedBytesMax = 64 * 1024 * 1024

/** kafkajs's names for the codecs of the demo. */
export const compressionTypes = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  lz4: CompressionTypes.LZ4,
} as const

/** kafkajs, the client that applications use, with lz4, which it leaves to others. It logs nothing: it throws. */
export function kafkajsClient(clientId: string, brokers: readonly string[]): Kafka {
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async (encoder: { readonly buffer: Buffer }) => compress('lz4', encoder.buffer),
    decompress: async (payload: Buffer) => decompress('lz4', payload, decompressedBytesMax),
  })
  ignoreNegativeDelays()
  return new KafkaClient({ clientId, brokers: [...brokers], logLevel: logLevel.NOTHING })
}

/** kafkajs sets timers with negative delays, which Node corrects and warns of; nobody here can do anything about it. */
function ignoreNegativeDelays(): void {
  if (negativeDelaysIgnored) return
  negativeDelaysIgnored = true
  const emit = process.emitWarning.bind(process) as (...args: unknown[]) => void
  process.emitWarning = (...args: unknown[]) => {
    if (args[1] !== 'TimeoutNegativeWarning') emit(...args)
  }
}

let negativeDelaysIgnored = false
