/** Reads back what {@link SequenceWriter} wrote, or a copy of it, with a client of another hand. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { BenchCluster } from '../bench-cluster.ts'
import type { SequenceLog } from './judge.ts'
import { sequenceOf } from './sequence-writer.ts'

const patienceMs = 60_000

/**
 * Every committed record of a topic, by partition.
 * @throws Error if its end is not reached within a minute
 */
export async function readSequences(
  cluster: BenchCluster,
  topic: string,
  signal: AbortSignal,
): Promise<readonly SequenceLog[]> {
  const ends = await cluster.ends(topic)
  const logs = ends.map((end) => ({ offsets: [] as number[], sequences: [] as number[], end }))
  const reached = ends.map((end) => end === 0)
  const consumer = cluster.kafka.consumer({
    groupId: `sequences-${randomUUID()}`,
    allowAutoTopicCreation: false,
    maxWaitTimeInMs: 50,
    maxBytesPerPartition: 4 * 1024 * 1024,
  })
  // Batches of nothing but markers are told here and nowhere else.
  consumer.on(consumer.events.END_BATCH_PROCESS, ({ payload: { partition, lastOffset } }) => {
    if (Number(lastOffset) + 1 >= (ends[partition] ?? 0)) reached[partition] = true
  })
  try {
    await consumer.connect()
    await consumer.subscribe({ topic, fromBeginning: true })
    await consumer.run({
      autoCommit: false,
      eachBatch: async ({ batch: { partition, messages } }) => {
        const log = logs[partition]
        for (const { offset, value } of messages) {
          if (log === undefined || value === null) continue
          log.offsets.push(Number(offset))
          log.sequences.push(sequenceOf(value))
        }
      },
    })
    const deadline = performance.now() + patienceMs
    while (reached.includes(false)) {
      if (performance.now() > deadline) throw new Error(`${topic} was not read to its end within a minute`)
      await delay(20, undefined, { signal })
    }
  } finally {
    await consumer.disconnect()
  }
  return logs
}
