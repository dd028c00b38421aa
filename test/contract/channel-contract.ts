import assert from 'node:assert/strict'
import { brokerId } from '../../replicator/kafka/cluster.ts'
import { isRetriable, KafkaError } from '../../replicator/kafka/errors.ts'
import {
  baseOffsets,
  batchOf,
  type Check,
  fetchOne,
  makeTopic,
  partitionOf,
  patient,
  produceAll,
  withChannel,
} from './contract-harness.ts'

/** Order on a channel, its end, and whom fetched memory belongs to. */
export function channelContract(check: Check): void {
  check('requests on a channel are answered in order', async (harness) => {
    const topic = await makeTopic(harness, { partitions: 2 })
    await withChannel(harness, topic, async (channel) => {
      const order: string[] = []
      const produce = (partition: number) =>
        channel
          .produce({
            batches: [{ topic: topic.name, partition, batch: batchOf(harness, 1) }],
            timeoutMs: 10_000,
          })
          .then(() => order.push(`produce ${partition}`))
      const fetch = (partition: number) =>
        channel
          .fetch({
            partitions: [partitionOf(topic, 0n, { partition })],
            waitMaxMs: 10_000,
            bytesMin: 1,
            bytesMax: 1 << 20,
            isolation: 'read_committed',
          })
          .then(({ frame, partitions }) => {
            order.push(`fetch ${partition}`)
            assert.deepEqual(baseOffsets(partitions[0]!.records), [0n])
            frame.release()
          })
      await Promise.all([produce(0), fetch(0), produce(1), fetch(1)])
      assert.deepEqual(order, ['produce 0', 'fetch 0', 'produce 1', 'fetch 1'])
    })
  })

  check('a fetch that waits holds up what was sent after it', async (harness) => {
    const topic = await makeTopic(harness)
    await withChannel(harness, topic, async (channel) => {
      const order: string[] = []
      const waiting = fetchOne(channel, partitionOf(topic, 0n), { waitMaxMs: 300 }).then((fetched) => {
        order.push('fetch')
        return fetched
      })
      const produced = produceAll(channel, topic.name, [batchOf(harness, 1)]).then(() =>
        order.push('produce'),
      )
      const [fetched] = await Promise.all([waiting, produced])
      assert.deepEqual(order, ['fetch', 'produce'])
      assert.equal(fetched.records.length, 0)
    })
  })

  check('destroying a channel fails what is pending with a retriable error', async (harness) => {
    const topic = await makeTopic(harness)
    const channel = await harness.cluster.openChannel(topic.partitions[0]!.leader!)
    const pending = [
      fetchOne(channel, partitionOf(topic, 0n), patient),
      fetchOne(channel, partitionOf(topic, 0n), patient),
    ].map((fetch) =>
      fetch.then(
        () => undefined,
        (error: unknown) => error,
      ),
    )
    channel.destroy()
    channel.destroy()
    await channel.closed
    for (const error of await Promise.all(pending)) {
      assert(error instanceof KafkaError && isRetriable(error), String(error))
    }
    await assert.rejects(fetchOne(channel, partitionOf(topic, 0n)), KafkaError)
    await assert.rejects(produceAll(channel, topic.name, [batchOf(harness, 1)]), KafkaError)
  })

  check('giving one request up cuts the channel, and the others may be tried again', async (harness) => {
    const topic = await makeTopic(harness)
    const channel = await harness.cluster.openChannel(topic.partitions[0]!.leader!)
    const controller = new AbortController()
    const request = { ...patient, bytesMax: 1 << 20, isolation: 'read_committed' } as const
    const partitions = [partitionOf(topic, 0n)]
    const given = channel.fetch({ waitMaxMs: 10_000, bytesMin: 1, ...request, partitions }, controller.signal)
    const other = fetchOne(channel, partitionOf(topic, 0n), patient).then(
      () => undefined,
      (error: unknown) => error,
    )
    const reason = new Error('the test gives up')
    const rejected = assert.rejects(given, reason)
    controller.abort(reason)
    await rejected
    await channel.closed
    const error = await other
    assert(error instanceof KafkaError && isRetriable(error), String(error))
  })

  check('closing a channel lets pending requests end', async (harness) => {
    const topic = await makeTopic(harness)
    const channel = await harness.cluster.openChannel(topic.partitions[0]!.leader!)
    const pending = produceAll(channel, topic.name, [batchOf(harness, 1)])
    await channel.close()
    await channel.close()
    await pending
    await channel.closed
    await assert.rejects(produceAll(channel, topic.name, [batchOf(harness, 1)]), KafkaError)
  })

  check('a broker that does not exist gives no channel', async (harness) => {
    await assert.rejects(harness.cluster.openChannel(brokerId(9999)), KafkaError)
  })

  check('closing a client ends its channels and refuses what comes later', async (harness) => {
    const topic = await makeTopic(harness)
    const client = await harness.connect()
    const channel = await client.openChannel(topic.partitions[0]!.leader!)
    const pending = produceAll(channel, topic.name, [batchOf(harness, 1)])
    await client.close()
    await client.close()
    await pending
    await channel.closed
    await assert.rejects(client.listTopics(), KafkaError)
  })

  check('destroying a client breaks its channels at once', async (harness) => {
    const topic = await makeTopic(harness)
    const client = await harness.connect()
    const channel = await client.openChannel(topic.partitions[0]!.leader!)
    const pending = fetchOne(channel, partitionOf(topic, 0n), patient).then(
      () => undefined,
      (error: unknown) => error,
    )
    client.destroy()
    client.destroy()
    await channel.closed
    assert((await pending) instanceof KafkaError)
  })

  check(
    'fetched memory is leased: held while a reference is, released no more often than held',
    async (harness) => {
      const topic = await makeTopic(harness)
      await withChannel(harness, topic, async (channel) => {
        await produceAll(channel, topic.name, [batchOf(harness, 4)])
        const { frame, partitions } = await channel.fetch({
          partitions: [partitionOf(topic, 0n)],
          waitMaxMs: 0,
          bytesMin: 1,
          bytesMax: 1 << 20,
          isolation: 'read_uncommitted',
        })
        const [fetched] = partitions
        assert(fetched !== undefined)
        assert(frame.bytes >= fetched.records.length)
        const copy = Buffer.from(fetched.records)
        frame.retain()
        frame.release()
        for (let i = 0; i < 10; i++) await fetchOne(channel, partitionOf(topic, 0n))
        assert.deepEqual(fetched.records, copy)
        frame.release()
        assert.throws(() => frame.release())
      })
    },
  )

  check('an aborted signal fails a request with its reason before it is sent', async (harness) => {
    const reason = new Error('the test gave up')
    const signal = AbortSignal.abort(reason)
    await assert.rejects(harness.cluster.listTopics(signal), reason)
    await assert.rejects(harness.cluster.openChannel(brokerId(1), signal), reason)
  })
}
