/** Fills a topic once, with Kafka's own performance producer. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { orderLines, randomLines } from './payloads.ts'

/** Distinct values in a seeded topic; the producer picks among them at random. */
const distinctValues = 5_000

export interface SeedOptions {
  readonly javaPath: string
  readonly classPath: string
  /** For the file of values. */
  readonly folder: string
  readonly bootstrap: string
  /** Must exist. */
  readonly topic: string
  readonly records: number
  /** Of each value; there are no keys. */
  readonly recordBytes: number
  /** `lz4` also makes the values compressible, about three times. */
  readonly compression: 'none' | 'lz4'
  /** The producer's `batch.size`. Together with a linger of 5 ms it decides how large the record batches are. */
  readonly batchBytes: number
}

/** Milliseconds the seeding producer waits for a batch to fill. */
export const producerLingerMs = 5

/**
 * Produces the records and returns when all are acknowledged.
 *
 * @throws Error with the producer's output if it failed
 */
export async function seedTopic(options: SeedOptions, signal: AbortSignal): Promise<void> {
  const lines = options.compression === 'lz4' ? orderLines : randomLines
  const payload = join(options.folder, `${options.topic}.payload`)
  await writeFile(payload, lines({ count: distinctValues, bytes: options.recordBytes }).join('\n'))
  const child = spawn(
    options.javaPath,
    [
      '-Xmx512M',
      '-cp',
      options.classPath,
      'org.apache.kafka.tools.ProducerPerformance',
      ...['--bootstrap-server', options.bootstrap],
      ...['--topic', options.topic],
      ...['--num-records', String(options.records)],
      ...['--throughput', '-1'],
      ...['--payload-file', payload],
      ...['--reporting-interval', '3600000'],
      '--command-property',
      `batch.size=${options.batchBytes}`,
      `linger.ms=${producerLingerMs}`,
      `compression.type=${options.compression}`,
      `buffer.memory=${128 * 1024 * 1024}`,
      'acks=1',
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], signal, killSignal: 'SIGKILL' },
  )
  let output = ''
  child.stdout.on('data', (text) => (output += text))
  child.stderr.on('data', (text) => (output += text))
  const [code] = await once(child, 'close')
  if (code !== 0 || !output.includes(`${options.records} records sent`)) {
    throw new Error(`seeding topic ${options.topic} failed (exit code ${code}):\n${output}`)
  }
}
