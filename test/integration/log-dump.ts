import type { Cluster, TopicPartition } from '../../replicator/kafka/cluster.ts'
import {
  baseOffset,
  baseSequence,
  isControl,
  lastOffset,
  producerEpoch,
  producerId,
  recordCount,
} from '../../replicator/records/batch-header.ts'
import { nextBatch } from '../../replicator/records/record-batch.ts'

/** A batch of a partition's log, by its header alone. */
export interface DumpedBatch {
  readonly base: bigint
  readonly last: bigint
  readonly producerId: bigint
  readonly epoch: number
  readonly sequence: number
  readonly records: number
  /** A transaction marker. */
  readonly control: boolean
}

/** Every batch that a partition holds now, read uncommitted. @throws KafkaError when it cannot be read */
export async function dumpLog(cluster: Cluster, at: TopicPartition): Promise<readonly DumpedBatch[]> {
  const signal = AbortSignal.timeout(30_000)
  const lookup = (await cluster.describeTopics([at.topic], signal)).get(at.topic)
  if (lookup?.kind !== 'found') throw new Error(`${at.topic} is not on ${cluster.alias}`)
  const leader = lookup.topic.partitions[at.partition]?.leader
  if (leader === undefined) throw new Error(`${at.topic}/${at.partition} has no leader`)
  const [start, end] = await Promise.all(
    (['earliest', 'latest'] as const).map(async (where) => {
      const [answer] = await cluster.listOffsets([{ ...at, at: where }], signal)
      if (answer?.result.ok !== true) throw new Error(`${at.topic}/${at.partition}: no ${where} offset`)
      return answer.result.value.offset
    }),
  )
  const channel = await cluster.openChannel(leader, signal)
  const batches: DumpedBatch[] = []
  try {
    for (let offset = start ?? 0n; offset < (end ?? 0n); ) {
      const response = await channel.fetch(
        {
          partitions: [
            { ...at, topicId: lookup.topic.id, offset, leaderEpoch: undefined, bytesMax: 4 * 1024 * 1024 },
          ],
          waitMaxMs: 100,
          bytesMin: 1,
          bytesMax: 4 * 1024 * 1024,
          isolation: 'read_uncommitted',
        },
        signal,
      )
      const [fetched] = response.partitions
      if (fetched?.error !== undefined) throw fetched.error
      const found = batchesIn(fetched?.records ?? Buffer.alloc(0)).filter(({ last }) => last >= offset)
      batches.push(...found)
      offset = (found.at(-1)?.last ?? offset - 1n) + 1n
      response.frame.release()
    }
  } finally {
    channel.destroy()
  }
  return batches
}

function batchesIn(buffer: Buffer): readonly DumpedBatch[] {
  const batches: DumpedBatch[] = []
  for (let at = 0; ; ) {
    const found = nextBatch(buffer, at)
    if (found.kind !== 'batch') return batches
    batches.push({
      base: baseOffset(buffer, at),
      last: lastOffset(buffer, at),
      producerId: producerId(buffer, at),
      epoch: producerEpoch(buffer, at),
      sequence: baseSequence(buffer, at),
      records: recordCount(buffer, at),
      control: isControl(buffer, at),
    })
    at += found.bytes
  }
}
