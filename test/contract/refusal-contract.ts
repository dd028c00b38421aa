import assert from 'node:assert/strict'
import { batchLayout } from '../../replicator/records/batch-layout.ts'
import { type BatchFields, buildBatch, recordsOf, sealBatch } from '../simulation/record-batches.ts'
import {
  batchOf,
  type Check,
  type ContractHarness,
  codeOf,
  fetchOne,
  makeTopic,
  partitionOf,
  produceOne,
  withChannel,
} from './contract-harness.ts'

interface Refused {
  readonly because: string
  readonly code: number
  readonly configs?: Readonly<Record<string, string>>
  readonly batch: (harness: ContractHarness) => Buffer
}

const RECORD_TOO_LARGE = 10
const CORRUPT_MESSAGE = 2
const INVALID_TIMESTAMP = 32
const INVALID_RECORD = 87
const TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53

/** A batch changed after it was built, with a right checksum again. */
function changed(batch: Buffer, change: (batch: Buffer) => void): Buffer {
  change(batch)
  sealBatch(batch)
  return batch
}

function stamped(agoMs: number, fields?: BatchFields): (harness: ContractHarness) => Buffer {
  return (harness) => buildBatch(recordsOf([['key', 'value']], harness.clock.wallMs() - agoMs), fields)
}

const hourMs = 3_600_000

/** In the order in which a broker checks. */
const refusals: readonly Refused[] = [
  {
    because: 'the partition has no batch',
    code: INVALID_RECORD,
    batch: () => Buffer.alloc(0),
  },
  {
    because: 'the batch is cut short',
    code: INVALID_RECORD,
    batch: (harness) => batchOf(harness, 2).subarray(0, -1),
  },
  {
    because: 'two batches come for one partition',
    code: INVALID_RECORD,
    batch: (harness) => Buffer.concat([batchOf(harness, 1), batchOf(harness, 1)]),
  },
  {
    because: 'the magic is 1',
    code: INVALID_RECORD,
    batch: (harness) => changed(batchOf(harness, 1), (batch) => batch.writeInt8(1, batchLayout.magic)),
  },
  {
    because: 'the magic is unknown',
    code: CORRUPT_MESSAGE,
    batch: (harness) => changed(batchOf(harness, 1), (batch) => batch.writeInt8(3, batchLayout.magic)),
  },
  {
    because: 'the base offset is not 0',
    code: INVALID_RECORD,
    batch: (harness) => batchOf(harness, 1, { baseOffset: 7n, corrupt: true }),
  },
  {
    because: 'it is larger than max.message.bytes, wrong checksum or not',
    code: RECORD_TOO_LARGE,
    configs: { 'max.message.bytes': '78' },
    batch: (harness) => batchOf(harness, 3, { corrupt: true }),
  },
  {
    because: 'the checksum is wrong',
    code: CORRUPT_MESSAGE,
    batch: (harness) => batchOf(harness, 3, { corrupt: true, lastOffsetDelta: 5 }),
  },
  {
    because: 'it holds no records',
    code: INVALID_RECORD,
    batch: () => buildBatch([], { lastOffsetDelta: 0 }),
  },
  {
    because: 'it has gaps',
    code: INVALID_RECORD,
    batch: (harness) => batchOf(harness, 3, { lastOffsetDelta: 4 }),
  },
  {
    because: 'the offset range is negative',
    code: INVALID_RECORD,
    batch: (harness) => batchOf(harness, 1, { lastOffsetDelta: -2, count: 1 }),
  },
  {
    because: 'it is a control batch',
    code: INVALID_RECORD,
    batch: (harness) => batchOf(harness, 1, { control: true }),
  },
  {
    because: 'it has a producer id and no sequence',
    code: INVALID_RECORD,
    batch: (harness) => batchOf(harness, 1, { producerId: 77n, producerEpoch: 0, baseSequence: -1 }),
  },
  {
    because: 'there are more records than it says',
    code: INVALID_RECORD,
    batch: (harness) => batchOf(harness, 3, { lastOffsetDelta: 1, count: 2 }),
  },
  {
    because: 'there are fewer records than it says',
    code: INVALID_RECORD,
    batch: (harness) => batchOf(harness, 2, { lastOffsetDelta: 2, count: 3 }),
  },
  {
    because: 'a record for a compacted topic has no key',
    code: INVALID_RECORD,
    configs: { 'cleanup.policy': 'compact' },
    batch: (harness) =>
      buildBatch(
        recordsOf(
          [
            ['key', 'value'],
            [null, 'value'],
          ],
          harness.clock.wallMs(),
        ),
      ),
  },
  {
    because: 'a record is too old',
    code: INVALID_TIMESTAMP,
    configs: { 'message.timestamp.before.max.ms': `${hourMs}` },
    batch: stamped(2 * hourMs),
  },
  {
    because: 'a record lies too far in the future',
    code: INVALID_TIMESTAMP,
    batch: stamped(-2 * hourMs),
  },
  {
    because: 'it says append time for a topic with append time',
    code: INVALID_TIMESTAMP,
    configs: { 'message.timestamp.type': 'LogAppendTime' },
    batch: stamped(0, { logAppendTime: true }),
  },
  {
    because: 'it is transactional and comes without a transaction',
    code: TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    batch: (harness) =>
      batchOf(harness, 1, { transactional: true, producerId: 78n, producerEpoch: 0, baseSequence: 0 }),
  },
]

/** Every reason for which a broker refuses a batch; see produce-contract.ts for sequences and epochs. */
export function refusalContract(check: Check): void {
  for (const { because, code, configs, batch } of refusals) {
    check(`a batch is refused because ${because}`, async (harness) => {
      const topic = await makeTopic(harness, configs === undefined ? {} : { configs })
      await withChannel(harness, topic, async (channel) => {
        const result = await produceOne(channel, {
          topic: topic.name,
          partition: 0,
          batch: batch(harness),
        })
        assert.equal(codeOf(result), code)
        assert(!result.ok)
        assert.equal(result.error.topic, topic.name)
        assert.equal(result.error.partition, 0)
        assert.equal((await fetchOne(channel, partitionOf(topic, 0n))).highWatermark, 0n)
      })
    })
  }

  check('one transactional batch has its whole request refused', async (harness) => {
    const topic = await makeTopic(harness, { partitions: 2 })
    await withChannel(harness, topic, async (channel) => {
      const { results } = await channel.produce({
        batches: [
          { topic: topic.name, partition: 0, batch: batchOf(harness, 1) },
          {
            topic: topic.name,
            partition: 1,
            batch: batchOf(harness, 1, {
              transactional: true,
              producerId: 79n,
              producerEpoch: 0,
              baseSequence: 0,
            }),
          },
        ],
        timeoutMs: 10_000,
      })
      assert.deepEqual(
        results.map(({ result }) => codeOf(result)),
        [TRANSACTIONAL_ID_AUTHORIZATION_FAILED, TRANSACTIONAL_ID_AUTHORIZATION_FAILED],
      )
      assert.equal((await fetchOne(channel, partitionOf(topic, 0n))).highWatermark, 0n)
    })
  })

  check('a topic whose clients are fenced by size takes a single tiny record', async (harness) => {
    const topic = await makeTopic(harness, { configs: { 'max.message.bytes': '78' } })
    await withChannel(harness, topic, async (channel) => {
      const tiny = buildBatch(recordsOf([[null, '123']], harness.clock.wallMs()))
      assert(tiny.length <= 78)
      const result = await produceOne(channel, { topic: topic.name, partition: 0, batch: tiny })
      assert.equal(codeOf(result), 0)
    })
  })
}
