import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import { brokerId } from '../../../replicator/kafka/cluster.ts'
import { baseSequence } from '../../../replicator/records/batch-header.ts'
import type { RecordContent } from '../../../replicator/records/decode.ts'
import { type AppendOutcome, ShardJournal } from '../../../replicator/shards/shard-journal.ts'
import type { Fault } from '../../simulation/faults.ts'
import { readRecords } from '../../simulation/record-batches.ts'
import { answeringCluster } from './answering-cluster.ts'
import { progressTopic, ShardScene } from './shard-scene.ts'

const us = { producerId: 70n, producerEpoch: 3 }
const at = { topic: progressTopic, partition: 1 }

/** A journal whose produce requests meet what the test says, one after the other. */
class JournalScene extends ShardScene {
  readonly journal: ShardJournal
  /** What becomes of the next attempts: a fault on the way, or an error code that the broker answers with. */
  readonly next: (Fault | number | undefined)[] = []
  attempts = 0
  mayWrite: () => boolean = () => true

  constructor(brokers = 1) {
    super({ brokers })
    this.create(this.target, progressTopic, 2)
    this.mark(at, us)
    const cluster = this.connect(this.target, ({ kind }) => {
      if (kind !== 'produce') return undefined
      this.attempts++
      const [fault] = this.next
      if (typeof fault === 'number') return undefined
      this.next.shift()
      return fault
    })
    this.journal = new ShardJournal({
      cluster: answeringCluster(cluster, { produce: () => this.#answer() }),
      topic: progressTopic,
      partition: 1,
      clock: this.clock,
      random: this.random,
      backoff: defaultBackoff,
    })
    this.journal.become(us)
  }

  enter(value: string, signal = this.signal, count = 1): Promise<AppendOutcome> {
    const record = (index: number): RecordContent => ({
      key: Buffer.from('key'),
      value: Buffer.from(count === 1 ? value : `${value} ${index}`),
      headers: [],
      timestamp: BigInt(this.clock.wallMs()),
    })
    const records = Array.from({ length: count }, (_, index) => record(index))
    return this.journal.append(records, () => this.mayWrite(), signal)
  }

  #answer(): number | undefined {
    const [code] = this.next
    if (typeof code !== 'number') return undefined
    this.next.shift()
    return code
  }

  get written(): readonly (string | undefined)[] {
    return this.dataBatches.flatMap(({ bytes }) => readRecords(bytes).map(({ value }) => value?.toString()))
  }

  get dataBatches() {
    return this.target.log(at).batches.filter(({ bytes }) => baseSequence(bytes, 0) >= 0)
  }
}

describe('a shard’s journal', () => {
  test('appends in order, with sequence numbers that follow each other', async () => {
    const scene = new JournalScene()
    assert.equal(await scene.run(scene.enter('a')), 'written')
    assert.equal(await scene.run(scene.enter('b', scene.signal, 3)), 'written')
    assert.equal(await scene.run(scene.enter('c')), 'written')
    assert.deepEqual(scene.written, ['a', 'b 0', 'b 1', 'b 2', 'c'])
    assert.deepEqual(
      scene.dataBatches.map(({ bytes }) => baseSequence(bytes, 0)),
      [0, 1, 4],
    )
  })

  test('whatever befalls an attempt, the record is there once', async () => {
    const faults: readonly (Fault | number)[] = [
      { lose: 'answer' },
      { lose: 'request' },
      { breakChannel: 'after' },
      { breakChannel: 'before' },
      { duplicate: true },
      6,
      7,
    ]
    for (const fault of faults) {
      const scene = new JournalScene()
      scene.next.push(fault, fault)
      assert.equal(await scene.run(scene.enter('a')), 'written', JSON.stringify(fault))
      assert.equal(await scene.run(scene.enter('b')), 'written')
      assert.deepEqual(scene.written, ['a', 'b'])
    }
  })

  test('goes where the partition is led', async () => {
    const scene = new JournalScene(2)
    assert.equal(await scene.run(scene.enter('a')), 'written')
    const other = scene.target.partition(at).leader === 1 ? 2 : 1
    scene.target.moveLeader(at, brokerId(other))
    assert.equal(await scene.run(scene.enter('b')), 'written')
    scene.target.loseLeader(at)
    const late = scene.enter('c')
    await scene.clock.advance(5000)
    assert.deepEqual(scene.written, ['a', 'b'])
    scene.target.moveLeader(at, brokerId(other))
    assert.equal(await scene.run(late), 'written')
  })

  test('is fenced by a marker of a later epoch', async () => {
    const scene = new JournalScene()
    assert.equal(await scene.run(scene.enter('a')), 'written')
    scene.mark(at, { ...us, producerEpoch: 4 })
    assert.equal(await scene.run(scene.enter('b')), 'fenced')
    assert.deepEqual(scene.written, ['a'])
  })

  test('forgotten sequences need a new epoch, under which it starts anew', async () => {
    for (const code of [45, 46, 59]) {
      const scene = new JournalScene()
      assert.equal(await scene.run(scene.enter('a')), 'written')
      scene.next.push(code)
      assert.equal(await scene.run(scene.enter('b')), 'forgotten')
      scene.mark(at, { ...us, producerEpoch: 4 })
      scene.journal.become({ ...us, producerEpoch: 4 })
      assert.equal(await scene.run(scene.enter('b')), 'written')
      assert.deepEqual(scene.written, ['a', 'b'])
      assert.deepEqual(scene.dataBatches.map(({ bytes }) => baseSequence(bytes, 0)).at(-1), 0)
    }
  })

  test('nothing is sent without permission, which is asked for before every attempt', async () => {
    const scene = new JournalScene()
    scene.mayWrite = () => false
    assert.equal(await scene.run(scene.enter('a')), 'forgotten')
    assert.equal(scene.attempts, 0)
    let asked = 0
    // Asked before the leader is looked for, and again before anything is sent.
    scene.mayWrite = () => asked++ < 4
    scene.next.push(6, 6, 6)
    assert.equal(await scene.run(scene.enter('a')), 'forgotten')
    assert.equal(scene.attempts, 2)
    assert.deepEqual(scene.written, [])
  })

  test('nothing is sent when permission ends while the leader is looked for', async () => {
    const scene = new JournalScene()
    let asked = 0
    scene.mayWrite = () => asked++ < 1
    assert.equal(await scene.run(scene.enter('a')), 'forgotten')
    assert.equal(scene.attempts, 0)
    assert.deepEqual(scene.written, [])
  })

  describe('a sequence number that may be taken is not given to anything else', () => {
    const refused = 29

    test('after an append that was given up while its answer was awaited', async () => {
      const scene = new JournalScene()
      scene.next.push({ lose: 'answer' })
      const cut = new AbortController()
      const lost = scene.enter('a', cut.signal)
      await scene.clock.advance(100)
      cut.abort(new Error('no time left'))
      await assert.rejects(lost, /no time left/)
      assert.equal(await scene.run(scene.enter('b')), 'forgotten')
      assert.deepEqual(scene.written, ['a'])
    })

    test('after one that was given up between two attempts', async () => {
      const scene = new JournalScene()
      scene.next.push({ breakChannel: 'after' })
      const cut = new AbortController()
      const lost = scene.enter('a', cut.signal)
      await scene.clock.advance(10)
      cut.abort(new Error('no time left'))
      await assert.rejects(lost, /no time left/)
      assert.equal(await scene.run(scene.enter('b')), 'forgotten')
      assert.deepEqual(scene.written, ['a'])
    })

    test('after one that was refused at its second attempt, the first without an answer', async () => {
      const scene = new JournalScene()
      scene.next.push({ breakChannel: 'after' }, refused)
      await assert.rejects(scene.run(scene.enter('a')), { code: refused })
      assert.equal(await scene.run(scene.enter('b')), 'forgotten')
      assert.deepEqual(scene.written, ['a'])
    })

    test('after one that lost its permission, the first attempt without an answer', async () => {
      const scene = new JournalScene()
      scene.next.push({ breakChannel: 'after' })
      let asked = 0
      scene.mayWrite = () => asked++ !== 2
      assert.equal(await scene.run(scene.enter('a')), 'forgotten')
      assert.equal(await scene.run(scene.enter('b')), 'forgotten')
      assert.deepEqual(scene.written, ['a'])
    })

    test('but one that the broker has refused is free', async () => {
      const scene = new JournalScene()
      scene.next.push(refused)
      await assert.rejects(scene.run(scene.enter('a')), { code: refused })
      assert.equal(await scene.run(scene.enter('b')), 'written')
      assert.deepEqual(scene.written, ['b'])
    })
  })
})
