import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatVerdict } from '../../../replicator/verify/format-verdict.ts'
import { recordsOf } from '../../simulation/record-batches.ts'
import { at, numbered, type Setting, setting, stamp } from './verify-scene.ts'

/** Records with rising times, one batch each. */
function write(scene: Setting, side: 'source' | 'target', from: number, until: number) {
  const where = at(side === 'source' ? 'orders' : 'copy')
  for (let i = from; i < until; i++) scene.write(side, where, recordsOf([['k', `v${i}`]], stamp + i))
}

describe('logs of different beginnings', () => {
  test('what the source has deleted may be on the target still, and is counted', async () => {
    const scene = await setting()
    write(scene, 'source', 0, 30)
    write(scene, 'target', 0, 30)
    scene.source.deleteRecords(at('orders'), 12n)
    const report = await scene.verify()
    const [partition] = report.partitions
    assert.equal(report.identical, true)
    assert.deepEqual(report.records, { source: 18, target: 18 })
    assert.equal(partition?.target.older, 12)
    assert.equal(partition?.source.digest, partition?.target.digest)
    assert.match(
      formatVerdict(report),
      /orders-0: eu-west still has 12 older records that us-east has deleted/,
    )
  })

  test('what is wrong behind that is found', async () => {
    const found = async (damage: (scene: Setting) => void) => {
      const scene = await setting()
      write(scene, 'source', 0, 30)
      write(scene, 'target', 0, 20)
      damage(scene)
      scene.source.deleteRecords(at('orders'), 12n)
      const { differences } = (await scene.verify()).partitions[0]!
      return Object.entries(differences).filter(([, count]) => count > 0)
    }
    assert.deepEqual(await found((scene) => write(scene, 'target', 20, 30)), [])
    assert.deepEqual(await found((scene) => write(scene, 'target', 22, 30)), [['missing', 2]])
    assert.deepEqual(await found((scene) => write(scene, 'target', 18, 30)), [['duplicated', 2]])
  })

  test('a missing record right at the beginning is missing', async () => {
    const scene = await setting()
    write(scene, 'source', 0, 30)
    write(scene, 'target', 0, 12)
    write(scene, 'target', 14, 30)
    scene.source.deleteRecords(at('orders'), 12n)
    const { differences, target } = (await scene.verify()).partitions[0]!
    assert.equal(differences.missing, 2)
    assert.equal(target.older, 12)
  })

  test('a source that has deleted everything leaves nothing to compare with', async () => {
    const scene = await setting()
    write(scene, 'source', 0, 5)
    write(scene, 'target', 0, 5)
    scene.source.deleteRecords(at('orders'), 5n)
    const report = await scene.verify()
    assert.equal(report.identical, true)
    assert.equal(report.partitions[0]?.target.older, 5)
  })

  test('what the target has deleted and the source still has is missing', async () => {
    for (const sourceStart of [0n, 3n]) {
      const scene = await setting()
      write(scene, 'source', 0, 30)
      write(scene, 'target', 0, 30)
      scene.source.deleteRecords(at('orders'), sourceStart)
      scene.target.deleteRecords(at('copy'), 8n)
      const [partition] = (await scene.verify()).partitions
      assert.equal(partition?.differences.missing, 8 - Number(sourceStart))
      assert.equal(partition?.differences.extra, 0)
    }
  })

  test('a target that has deleted far more than its source is not passed over', async () => {
    const scene = await setting()
    write(scene, 'source', 0, 1500)
    write(scene, 'target', 0, 1500)
    scene.source.deleteRecords(at('orders'), 3n)
    scene.target.deleteRecords(at('copy'), 1200n)
    const { differences, target } = (await scene.verify()).partitions[0]!
    assert.equal(differences.missing, 1197)
    assert.equal(target.older, undefined)
  })

  test('both have deleted, the source more', async () => {
    const scene = await setting()
    write(scene, 'source', 0, 30)
    write(scene, 'target', 0, 30)
    scene.source.deleteRecords(at('orders'), 12n)
    scene.target.deleteRecords(at('copy'), 8n)
    const report = await scene.verify()
    assert.equal(report.identical, true)
    assert.equal(report.partitions[0]?.target.older, 4)
  })

  test('a copy that was begun late may lack what came before, and only then', async () => {
    const scene = await setting()
    write(scene, 'source', 0, 30)
    write(scene, 'target', 10, 30)
    assert.equal((await scene.verify()).partitions[0]?.differences.missing, 10)
    const report = await scene.verify([0], { mayBeginLater: true })
    assert.equal(report.identical, true)
    assert.equal(report.partitions[0]?.source.older, 10)
    assert.match(formatVerdict(report), /us-east has 10 older records from before the copy was begun/)
  })
})

describe('a copy that is still under way', () => {
  test('has time to show what the source had, and what comes later counts on neither side', async () => {
    const scene = await setting()
    scene.write('source', at('orders'), numbered(0, 20))
    scene.write('target', at('copy'), numbered(0, 5))
    scene.clock.after(3000, () => scene.write('target', at('copy'), numbered(5, 10)))
    scene.clock.after(4000, () => {
      scene.write('source', at('orders'), numbered(20, 5))
      // One batch across the end of what is compared.
      scene.write('target', at('copy'), numbered(15, 10))
    })
    const report = await scene.verify([0], { settleMs: 10_000 })
    assert.equal(report.identical, true)
    assert.deepEqual(report.records, { source: 20, target: 20 })
    assert.equal(report.partitions[0]?.source.digest, report.partitions[0]?.target.digest)
  })

  test('what is written and copied while the ends are asked for is neither missing nor too much', async () => {
    const scene = await setting()
    let next = 0
    const writeBoth = () => {
      scene.write('source', at('orders'), numbered(next, 1))
      scene.write('target', at('copy'), numbered(next++, 1))
    }
    writeBoth()
    for (const client of Object.values(scene.clients)) {
      const ask = client.listOffsets.bind(client)
      client.listOffsets = async (...args) => {
        const answers = await ask(...args)
        writeBoth()
        return answers
      }
    }
    const report = await scene.verify([0], { settleMs: 10_000 })
    assert.equal(report.identical, true, formatVerdict(report))
    assert(report.records.source > 1)
  })

  test('what does not come in time is missing', async () => {
    const scene = await setting()
    scene.write('source', at('orders'), numbered(0, 20))
    scene.write('target', at('copy'), numbered(0, 15))
    scene.clock.after(12_000, () => scene.write('target', at('copy'), numbered(15, 5)))
    const report = await scene.verify([0], { settleMs: 10_000 })
    assert.equal(report.partitions[0]?.differences.missing, 5)
  })

  test('a wrong record that comes late is found', async () => {
    const scene = await setting()
    scene.write('source', at('orders'), numbered(0, 20))
    scene.write('target', at('copy'), numbered(0, 15))
    scene.clock.after(1000, () => {
      scene.write('target', at('copy'), numbered(14, 1))
      scene.write('target', at('copy'), numbered(15, 5))
    })
    const report = await scene.verify([0], { settleMs: 10_000 })
    assert.equal(report.partitions[0]?.differences.duplicated, 1)
    assert.equal(report.partitions[0]?.differences.missing, 0)
  })
})
