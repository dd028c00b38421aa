import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import type { Progress } from '../../../replicator/shards/progress-record.ts'
import {
  type Recovered,
  type RecoveryCase,
  type RecoveryTools,
  recoverPartition,
} from '../../../replicator/shards/recover-partition.ts'
import { type BatchFields, buildBatch, readRecords } from '../../simulation/record-batches.ts'
import { TransactionalWriter } from '../../simulation/transactional-writer.ts'
import { ShardScene } from './shard-scene.ts'

const orders = { topic: 'orders', partition: 0 }
const copy = { topic: 'us-east.orders', partition: 0 }
const predecessor = { producerId: 70n, producerEpoch: 3 }
const marker = { producerId: 70n, producerEpoch: 4 }

/** A partition on both sides, and what a predecessor copied of it. */
class CopiedScene extends ShardScene {
  progress: Progress | undefined
  #sequence = 0

  constructor(configs: Record<string, string> = {}) {
    super()
    this.create(this.source, 'orders', 1, configs)
    this.create(this.target, 'us-east.orders', 1, configs)
  }

  get sourceTopicId(): string {
    return this.source.topics.byName('orders')?.id ?? assert.fail()
  }

  get targetTopicId(): string {
    return this.target.topics.byName('us-east.orders')?.id ?? assert.fail()
  }

  /** Progress that says: all below `sourceNext` was copied, and the target ends here. */
  writeProgress(sourceNext: bigint, rule: Progress['rule'] = 'everything'): void {
    this.progress = {
      topicId: this.sourceTopicId,
      targetTopicId: this.targetTopicId,
      sourceNext: sourceOffset(sourceNext),
      targetNext: targetOffset(this.target.log(copy).logEnd),
      producer: predecessor,
      sequence: this.#sequence,
      rule,
    }
  }

  /** Writes to the source, and copies it as the predecessor. */
  forward(count: number, fields: BatchFields = {}): void {
    this.copy(this.write(this.source, orders, count, fields))
  }

  copy(batch: Buffer): void {
    const records = readRecords(batch)
    this.append(this.target, copy, buildBatch(records, { ...predecessor, baseSequence: this.#sequence }))
    this.#sequence += records.length
  }

  /** As after a takeover: the marker stands in the target. */
  async recover(known: Partial<RecoveryCase> = {}, tools: Partial<RecoveryTools> = {}): Promise<Recovered> {
    this.mark(copy, marker)
    return this.recoverUnmarked(known, tools)
  }

  async recoverUnmarked(
    known: Partial<RecoveryCase> = {},
    tools: Partial<RecoveryTools> = {},
  ): Promise<Recovered> {
    const [source, target] = [this.connect(this.source), this.connect(this.target)]
    const walks = { source: this.walks(source), target: this.walks(target) }
    const recovered = await this.run(
      recoverPartition(
        {
          place: {
            sourceTopic: 'orders',
            sourceTopicId: this.sourceTopicId,
            targetTopic: 'us-east.orders',
            targetTopicId: this.targetTopicId,
            partition: 0,
            targetStamps: false,
          },
          progress: this.progress,
          marker,
          before: undefined,
          formerIds: new Set([70n, 71n]),
          progressLost: false,
          ...known,
        },
        { ...walks, origins: undefined, ...tools },
        this.signal,
      ),
    )
    await this.run(Promise.all([walks.source.close(), walks.target.close()]))
    for (const { leases } of [source, target]) assert.equal(leases.held, 0)
    return recovered
  }
}

/** Two batches before progress, so that nothing begins at 0. */
function begun(configs: Record<string, string> = {}): CopiedScene {
  const scene = new CopiedScene(configs)
  scene.write(scene.source, orders, 4)
  scene.write(scene.target, copy, 9)
  scene.writeProgress(4n)
  return scene
}

const resumes = (sourceNext: bigint, targetNext: bigint, how: string, records: number) => ({
  kind: 'resume',
  sourceNext,
  targetNext,
  how,
  records,
})

const refusedBecause = (recovered: Recovered, reason: RegExp): void => {
  assert.equal(recovered.kind, 'refused')
  assert.match(recovered.kind === 'refused' ? recovered.reason : '', reason)
}

describe('where a partition goes on', () => {
  test('exact: nothing was copied since progress was written', async () => {
    const scene = begun()
    scene.write(scene.source, orders, 5)
    scene.write(scene.target, copy, 2)
    assert.deepEqual(await scene.recover(), resumes(4n, 12n, 'exact', 0))
  })

  test('counted: as many records on the source as the target holds since', async () => {
    const scene = begun()
    scene.forward(3)
    scene.write(scene.target, copy, 2)
    scene.forward(2, { codec: 'gzip' })
    scene.write(scene.source, orders, 4)
    assert.deepEqual(await scene.recover(), resumes(9n, 17n, 'counted', 5))
  })

  test('counted: aborted and open transactions, and markers, are not records', async () => {
    const scene = begun()
    const writer = new TransactionalWriter(scene.source, 'writer')
    writer.append(orders, scene.records(2))
    writer.end('abort')
    scene.forward(3)
    writer.append(orders, scene.records(2))
    assert.deepEqual(await scene.recover(), resumes(10n, 13n, 'counted', 3))
  })

  test('counted: a batch that was copied in part', async () => {
    const scene = begun()
    const whole = scene.write(scene.source, orders, 6)
    scene.copy(buildBatch(readRecords(whole).slice(0, 2)))
    assert.deepEqual(await scene.recover(), resumes(6n, 12n, 'counted', 2))
  })

  test('aligned: the source was cleaned since, the target was not', async () => {
    const scene = begun({ 'cleanup.policy': 'compact' })
    for (let i = 0; i < 4; i++) scene.forward(2)
    scene.source.deleteRecords(orders, 7n)
    scene.write(scene.source, orders, 3)
    assert.deepEqual(await scene.recover(), resumes(12n, 18n, 'aligned', 8))
  })

  test('aligned: what was aborted is neither forwarded nor left', async () => {
    const scene = begun()
    scene.forward(2)
    const writer = new TransactionalWriter(scene.source, 'writer')
    writer.append(orders, scene.records(2))
    writer.end('abort')
    scene.forward(2)
    scene.source.deleteRecords(orders, 6n)
    assert.deepEqual(await scene.recover(), resumes(11n, 14n, 'aligned', 4))
  })

  test('aligned: everything up to a later record is gone from the source', async () => {
    const scene = begun()
    scene.forward(3)
    scene.write(scene.source, orders, 3)
    scene.source.deleteRecords(orders, 8n)
    // Behind the start: what was deleted uncopied is for whoever reads on to notice.
    assert.deepEqual(await scene.recover(), resumes(4n, 13n, 'aligned', 3))
  })

  test('aligned although the target stamps records itself', async () => {
    const scene = new CopiedScene()
    scene.writeProgress(0n)
    const batch = scene.write(scene.source, orders, 3)
    scene.copy(buildBatch(readRecords(batch).map((record) => ({ ...record, timestampMs: 5 }))))
    scene.source.deleteRecords(orders, 1n)
    const place = {
      sourceTopic: 'orders',
      sourceTopicId: undefined,
      targetTopic: 'us-east.orders',
      targetTopicId: undefined,
      partition: 0,
      targetStamps: true,
    }
    assert.deepEqual(await scene.recover({ place }), resumes(3n, 4n, 'aligned', 3))
  })

  test('target records that retention took are counted by the sequence numbers that are left', async () => {
    const scene = begun()
    scene.forward(2)
    scene.forward(2)
    scene.target.deleteRecords(copy, 11n)
    assert.deepEqual(await scene.recover(), resumes(8n, 14n, 'counted', 4))
  })

  test('by the rule under which it was copied, whatever the rule is now', async () => {
    const scene = begun()
    scene.writeProgress(4n, 'local')
    scene.write(scene.source, orders, 2, { producerId: 900n, producerEpoch: 0, baseSequence: 0 })
    scene.forward(3)
    scene.write(scene.source, orders, 2, { producerId: 900n, producerEpoch: 0, baseSequence: 2 })
    scene.forward(1)
    const learnt = new Set<bigint>()
    const origins = {
      learn(records: Buffer) {
        // Producer ids of the fetched batches; a verdict that was not learnt is an error.
        for (let at = 0; at < records.length; at += 12 + records.readInt32BE(at + 8))
          learnt.add(records.readBigInt64BE(at + 43))
        return undefined
      },
      isLocal: () => assert.fail('the present rule is of no interest'),
      isForwarded(id: bigint, rule: string) {
        assert(learnt.has(id), `${id} was learnt`)
        assert.equal(rule, 'local')
        return id !== 900n
      },
    }
    assert.deepEqual(await scene.recover({}, { origins }), resumes(12n, 14n, 'counted', 4))
    refusedBecause(await scene.recover(), /left records out, and nobody tells origins/)
  })
})

describe('a partition that does not go on', () => {
  test('the target was made anew', async () => {
    const scene = begun()
    scene.target.deleteTopic('us-east.orders')
    scene.create(scene.target, 'us-east.orders')
    refusedBecause(await scene.recover(), /re-created/)
  })

  test('the target lost records', async () => {
    const scene = begun()
    scene.target.log(copy).truncate(5n)
    refusedBecause(await scene.recover(), /spans offsets 0 to [0-9]+, but was written up to 9.*lost records/)
  })

  test('another producer of the flow has written', async () => {
    const scene = begun()
    scene.forward(1)
    scene.write(scene.target, copy, 1, { producerId: 71n, producerEpoch: 0, baseSequence: 0 })
    refusedBecause(await scene.recover(), /offset 10 by producer 71 epoch 0/)
  })

  test('sequence numbers repeat', async () => {
    const scene = begun()
    scene.forward(2)
    scene.target.log(copy).producers.expire(Number.POSITIVE_INFINITY, 0)
    scene.write(scene.target, copy, 2, { ...predecessor, baseSequence: 0 })
    refusedBecause(await scene.recover(), /offset 11 has sequence number 0 where 2 follows/)
  })

  test('target offsets are missing where the last of it may have been', async () => {
    const scene = begun()
    scene.forward(2)
    scene.forward(2)
    scene.target.deleteRecords(copy, 13n)
    refusedBecause(await scene.recover(), /target offsets from 9 on are missing/)
  })

  test('the source ends before what was copied', async () => {
    const scene = begun()
    scene.forward(2)
    scene.forward(2)
    scene.source.log(orders).truncate(6n)
    refusedBecause(await scene.recover(), /2 records more than the source does up to offset 6/)
    scene.source.log(orders).truncate(0n)
    scene.write(scene.source, orders, 2)
    refusedBecause(await scene.recover(), /4 records more than the source does up to offset 2/)
  })

  test('contents do not tell', async () => {
    const scene = begun()
    const twin = buildBatch(scene.records(1))
    for (let i = 0; i < 2; i++) {
      scene.append(scene.source, orders, twin)
      scene.copy(twin)
      scene.forward(1)
    }
    scene.append(scene.source, orders, twin)
    scene.source.deleteRecords(orders, 6n)
    const log = scene.source.log(orders)
    log.replaceBatches(log.batches.filter(({ baseOffset }) => baseOffset !== 7n).map(({ bytes }) => bytes))
    refusedBecause(await scene.recover(), /gap at offset 4 and contents do not tell.*more than once/)
  })

  test('the marker has not come: it must be fenced once more', async () => {
    const scene = begun()
    scene.forward(2)
    assert.deepEqual(await scene.recoverUnmarked(), { kind: 'unmarked' })
    const before = { start: 0n, end: 11n }
    scene.progress = undefined
    assert.deepEqual(await scene.recoverUnmarked({ before, formerIds: new Set() }), { kind: 'unmarked' })
  })

  test('a marker of another epoch is not ours', async () => {
    const scene = begun()
    scene.mark(copy, predecessor)
    assert.deepEqual(await scene.recoverUnmarked(), { kind: 'unmarked' })
    scene.progress = undefined
    const before = { start: 0n, end: 0n }
    assert.deepEqual(await scene.recoverUnmarked({ before, formerIds: new Set() }), { kind: 'unmarked' })
  })
})

describe('a partition without progress', () => {
  const fresh = new Set<bigint>()

  test('was never started when the flow never wrote anything on the target', async () => {
    const scene = new CopiedScene()
    scene.write(scene.target, copy, 3, { producerId: 70n, producerEpoch: 3, baseSequence: 0 })
    const before = { start: 0n, end: 3n }
    assert.deepEqual(await scene.recover({ before, formerIds: fresh }), {
      kind: 'never-started',
      targetNext: targetOffset(4n),
    })
  })

  test('was never started when the log holds nothing by any former producer', async () => {
    const scene = new CopiedScene()
    scene.write(scene.target, copy, 3, { producerId: 5n, producerEpoch: 0, baseSequence: 0 })
    scene.mark(copy, { producerId: 71n, producerEpoch: 2 })
    const before = { start: 0n, end: 4n }
    assert.deepEqual(await scene.recover({ before }), { kind: 'never-started', targetNext: 5n })
  })

  test('is refused when the log holds records by a former producer, before or behind its end as it was', async () => {
    for (const end of [0n, 4n]) {
      const scene = new CopiedScene()
      scene.write(scene.target, copy, 3)
      scene.write(scene.target, copy, 1, { producerId: 71n, producerEpoch: 0, baseSequence: 4 })
      refusedBecause(await scene.recover({ before: { start: 0n, end } }), /no progress.*offset 3/)
    }
  })

  test('is refused when the progress topic is another one, unless nothing was ever written', async () => {
    const scene = new CopiedScene()
    const known = { formerIds: fresh, progressLost: true }
    const empty = await scene.recover({ ...known, before: { start: 0n, end: 0n } })
    assert.deepEqual(empty, { kind: 'never-started', targetNext: 1n })
    const emptied = await scene.recover({ ...known, before: { start: 1n, end: 1n } })
    refusedBecause(emptied, /progress topic was deleted or re-created/)
  })
})
