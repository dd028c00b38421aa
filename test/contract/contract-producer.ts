import assert from 'node:assert/strict'
import type {
  BrokerChannel,
  ProduceResult,
  ProducerIdentity,
  TopicMetadata,
} from '../../replicator/kafka/cluster.ts'
import {
  batchOf,
  type ContractHarness,
  codeOf,
  fetchOne,
  makeTopic,
  partitionOf,
  produceOne,
} from './contract-harness.ts'

export interface Sending {
  /** Produces and expects success. */
  accepted(sequence: number, count: number, epoch?: number): Promise<void>
  code(sequence: number, count: number, epoch?: number): Promise<number | undefined>
  result(
    sequence: number,
    count: number,
    epoch?: number,
  ): Promise<Extract<ProduceResult['result'], { ok: true }>['value']>
}

export interface ContractProducer {
  readonly topic: TopicMetadata
  readonly channel: BrokerChannel
  readonly identity: ProducerIdentity
  readonly send: Sending
  /** The log's end. */
  end(): Promise<bigint>
  close(): void
}

/** A producer on partition 0 of a topic, made for it unless one is given. */
export async function producer(
  harness: ContractHarness,
  given?: ProducerIdentity,
  where?: TopicMetadata,
): Promise<ContractProducer> {
  const topic = where ?? (await makeTopic(harness))
  const identity = given ?? (await harness.cluster.initProducerId(undefined))
  const leader = topic.partitions[0]?.leader
  assert(leader !== undefined)
  const channel = await harness.cluster.openChannel(leader)
  const produce = (baseSequence: number, count: number, producerEpoch = identity.producerEpoch) => {
    const fields = { producerId: identity.producerId, producerEpoch, baseSequence }
    return produceOne(channel, { topic: topic.name, partition: 0, batch: batchOf(harness, count, fields) })
  }
  return {
    topic,
    channel,
    identity,
    send: {
      accepted: async (...batch) => assert.equal(codeOf(await produce(...batch)), 0),
      code: async (...batch) => codeOf(await produce(...batch)),
      result: async (...batch) => {
        const result = await produce(...batch)
        assert(result.ok)
        return result.value
      },
    },
    end: async () => (await fetchOne(channel, partitionOf(topic, 0n))).highWatermark,
    close: () => channel.destroy(),
  }
}
