import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { formatVerdict } from '../../../replicator/verify/format-verdict.ts'
import { recordsOf } from '../../simulation/record-batches.ts'
import { at, type Setting, setting, stamp } from './verify-scene.ts'

type Pairs = readonly (readonly [string, string | null])[]

/** Both topics compacted, and the same records on both: each a batch of its own. */
async function scene(pairs: Pairs) {
  const base: Setting = await setting()
  const configs = [{ kind: 'set', name: 'cleanup.policy', value: 'compact' }] as const
  assert(base.source.topics.alter('orders', configs).ok)
  assert(base.target.topics.alter('copy', configs).ok)
  const sequences = new Map<string, number>()
  const write = (side: 'source' | 'target', records: Pairs, producerId = -1n) => {
    for (const [i, [key, value]] of records.entries()) {
      const baseSequence = sequences.get(`${side} ${producerId}`) ?? 0
      sequences.set(`${side} ${producerId}`, baseSequence + 1)
      const producer = producerId < 0n ? {} : { producerId, producerEpoch: 0, baseSequence }
      const where = at(side === 'source' ? 'orders' : 'copy')
      base.write(side, where, recordsOf([[key, value]], stamp + i), producer)
    }
  }
  write('source', pairs)
  write('target', pairs)
  /** Runs the cleaner; as on real brokers, what is written last is not touched. */
  const clean = (side: 'source' | 'target', dropTombstones = false) => {
    base[side].compact(at(side === 'source' ? 'orders' : 'copy'), { dropTombstones })
    for (const each of ['source', 'target'] as const) write(each, [['active', 'segment']])
  }
  return { ...base, writeTo: write, clean }
}

const records: Pairs = [
  ['a', '1'],
  ['b', '1'],
  ['a', '2'],
  ['c', '1'],
  ['c', null],
]

describe('compacted topics', () => {
  test('that no cleaner was at are compared in order', async () => {
    const { verify } = await scene(records)
    const [partition] = (await verify()).partitions
    assert.deepEqual([partition?.verdict, partition?.by], ['identical', undefined])
  })

  test('are identical by key wherever the cleaner was, and whether deletes are still there', async () => {
    for (const side of ['source', 'target'] as const)
      for (const dropTombstones of [false, true]) {
        const { verify, clean } = await scene(records)
        clean(side, dropTombstones)
        const report = await verify()
        assert.equal(report.identical, true, formatVerdict(report))
        assert.equal(report.partitions[0]?.by, 'key')
        assert.match(
          formatVerdict(report),
          /identical by key\n(.*\n)*.*1 compacted, by the last record of each key$/,
        )
      }
  })

  test('differ where the last record of a key does', async () => {
    const differences = async (damage: (made: Awaited<ReturnType<typeof scene>>) => void) => {
      const made = await scene(records)
      made.clean('source', true)
      damage(made)
      const [partition] = (await made.verify()).partitions
      return Object.entries(partition?.differences ?? {}).filter(([, count]) => count > 0)
    }
    assert.deepEqual(await differences(() => {}), [])
    assert.deepEqual(await differences(({ writeTo }) => writeTo('source', [['d', '1']])), [['missing', 1]])
    assert.deepEqual(await differences(({ writeTo }) => writeTo('target', [['d', '1']])), [['extra', 1]])
    assert.deepEqual(await differences(({ writeTo }) => writeTo('target', [['a', '1']])), [['altered', 1]])
    // A delete that came back.
    assert.deepEqual(await differences(({ writeTo }) => writeTo('target', [['c', '1']])), [['extra', 1]])
    assert.deepEqual(await differences(({ writeTo }) => writeTo('source', [['b', null]])), [['altered', 1]])
  })

  test('topics that are not compacted stay compared in order', async () => {
    const { source, target, writeTo, verify } = await scene(records)
    for (const [brokers, topic] of [
      [source, 'orders'],
      [target, 'copy'],
    ] as const)
      brokers.topics.alter(topic, [{ kind: 'set', name: 'cleanup.policy', value: 'delete' }])
    writeTo('target', [['a', '2']])
    const [partition] = (await verify()).partitions
    assert.deepEqual([partition?.verdict, partition?.by], ['different', undefined])
  })

  test('records that another region replaced may be gone, on either side', async () => {
    const { writeTo, verify, clean } = await scene([])
    const own = 50n
    writeTo('source', [
      ['a', 'ours'],
      ['b', 'ours'],
      ['c', 'ours'],
    ])
    writeTo('source', [['b', 'theirs']], 9n)
    writeTo('target', [['a', 'theirs']])
    writeTo(
      'target',
      [
        ['a', 'ours'],
        ['b', 'ours'],
      ],
      own,
    )
    writeTo('target', [['a', 'theirs again']])
    const takes = async () => ({ source: (id: bigint) => id < 0n, target: (id: bigint) => id === own })
    clean('source')
    clean('target')
    // Not where ours is the last.
    writeTo('source', [['e', 'ours']])
    writeTo('target', [['e', 'theirs']])
    writeTo('target', [['e', 'wrong']], own)
    const [partition] = (await verify([0], { takes })).partitions
    assert.deepEqual(partition?.differences, {
      missing: 1,
      extra: 0,
      duplicated: 0,
      reordered: 0,
      altered: 1,
    })
    writeTo('target', [['c', 'ours']], own)
    // Times differ: what is compared is the whole record.
    assert.equal((await verify([0], { takes })).partitions[0]?.differences.altered, 2)
  })

  test('keys that change while they are read are left out', async () => {
    const { clean, writeTo, verify, clients } = await scene(records)
    clean('source')
    const describe = clients.source.describeTopicConfigs.bind(clients.source)
    clients.source.describeTopicConfigs = async (...args) => {
      writeTo('source', [
        ['a', '3'],
        ['new', '1'],
      ])
      return describe(...args)
    }
    const report = await verify()
    assert.equal(report.identical, true, formatVerdict(report))
  })
})
