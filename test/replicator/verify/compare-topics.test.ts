import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brokerId, type Cluster } from '../../../replicator/kafka/cluster.ts'
import type { CompareProgress } from '../../../replicator/verify/compare-topics.ts'
import { formatVerdict } from '../../../replicator/verify/format-verdict.ts'
import type { DecideFault } from '../../simulation/faults.ts'
import type { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { recordsOf, type TestRecord } from '../../simulation/record-batches.ts'
import { TransactionalWriter } from '../../simulation/transactional-writer.ts'
import { at, numbered, setting, stamp } from './verify-scene.ts'

describe('compareTopics', () => {
  test('equal content is identical, however it is batched and compressed', async () => {
    const { write, verify } = await setting()
    for (const from of [0, 5, 10]) write('source', at('orders'), numbered(from, 5))
    write('target', at('copy'), numbered(0, 9), { codec: 'gzip' })
    write('target', at('copy'), numbered(9, 6), { codec: 'zstd' })
    const report = await verify()
    assert.equal(report.identical, true)
    assert.deepEqual(report.records, { source: 15, target: 15 })
    assert.equal(report.partitions[0]?.source.digest, report.partitions[0]?.target.digest)
  })

  test('empty topics are identical, and comparing nothing proves nothing', async () => {
    const { verify } = await setting(2)
    assert.equal((await verify([0, 1])).identical, true)
    assert.equal((await verify([])).identical, false)
  })

  test('every kind of difference gets its name, in its partition', async () => {
    const { write, verify } = await setting(6)
    const [a, b, c] = [numbered(0, 1), numbered(1, 1), numbered(2, 1)]
    const copies: readonly (readonly (readonly TestRecord[])[])[] = [
      [a, b, c],
      [a, c],
      [a, b, b, c],
      [a, c, b],
      [a, b, c, numbered(3, 1)],
      [a, recordsOf([['k1', 'other']], stamp), c],
    ]
    for (const [partition, copy] of copies.entries()) {
      for (const batch of [a, b, c]) write('source', at('orders', partition), batch)
      for (const batch of copy) write('target', at('copy', partition), batch)
    }
    const report = await verify([0, 1, 2, 3, 4, 5])
    assert.deepEqual(
      report.partitions.map(({ verdict, first }) => [
        verdict,
        first?.kind,
        first?.sourceOffset,
        first?.targetOffset,
      ]),
      [
        ['identical', undefined, undefined, undefined],
        ['different', 'missing', '1', undefined],
        ['different', 'duplicated', undefined, '2'],
        ['different', 'reordered', '1', '2'],
        ['different', 'extra', undefined, '3'],
        ['different', 'altered', '1', '1'],
      ],
    )
    assert.equal(report.identical, false)
    assert.deepEqual(JSON.parse(JSON.stringify(report)), report)
  })

  test('aborted transactions do not count, on either side, nor does what is not committed yet', async () => {
    const { source, target, write, verify } = await setting()
    const producer = new TransactionalWriter(source, 'app')
    producer.append(at('orders'), numbered(0, 3))
    producer.end('commit')
    producer.append(at('orders'), numbered(100, 3))
    producer.end('abort')
    write('source', at('orders'), numbered(3, 2))
    producer.append(at('orders'), numbered(200, 1))
    write('source', at('orders'), numbered(5, 1))

    const copier = new TransactionalWriter(target, 'taking over')
    copier.append(at('copy'), numbered(300, 1))
    copier.end('abort')
    write('target', at('copy'), numbered(0, 5))
    const report = await verify()
    assert.deepEqual(report.records, { source: 5, target: 5 })
    assert.equal(report.identical, true)
  })

  test('what is written after the start does not count', async () => {
    const { write, verify } = await setting()
    write('source', at('orders'), numbered(0, 5))
    write('target', at('copy'), numbered(0, 5))
    let written = false
    const report = await verify([0], {
      onProgress: () => {
        if (!written) write('source', at('orders'), numbered(5, 5))
        written = true
      },
    })
    assert.equal(written, true)
    assert.deepEqual(report.records, { source: 5, target: 5 })
    assert.equal(report.identical, true)
  })

  test('LogAppendTime batches are compared by the time their readers see', async () => {
    const { source, write, verify } = await setting()
    const altered = source.topics.alter('orders', [
      { kind: 'set', name: 'message.timestamp.type', value: 'LogAppendTime' },
    ])
    assert.equal(altered.ok, true)
    write('source', at('orders'), recordsOf([['k', 'v']], stamp - 1000))
    write('target', at('copy'), recordsOf([['k', 'v']], stamp))
    assert.equal((await verify()).identical, true)
  })

  test('survives broken channels, lost requests and a leader that moves', async () => {
    let fetches = 0
    const faults: DecideFault = ({ kind }) => {
      if (kind !== 'fetch') return undefined
      fetches++
      if (fetches % 3 === 0) return { breakChannel: 'after' }
      return fetches % 5 === 0 ? { lose: 'request' } : undefined
    }
    const { source, write, verify } = await setting(4, faults)
    for (let partition = 0; partition < 4; partition++) {
      write('source', at('orders', partition), numbered(0, 50))
      write('target', at('copy', partition), numbered(0, 50))
    }
    let moved = false
    const report = await verify([0, 1, 2, 3], {
      onProgress: () => {
        if (moved) return
        moved = true
        source.stopBroker(brokerId(1))
      },
    })
    assert.equal(report.identical, true)
    assert.equal(report.records.target, 200)
  })

  test('a partition that cannot be read is named, and the others are compared', async () => {
    const { source, write, verify } = await setting(2)
    write('source', at('orders', 1), numbered(0, 2))
    write('target', at('copy', 1), numbered(0, 2))
    write('source', at('orders', 0), numbered(0, 2))
    for (const replica of source.partition(at('orders', 0)).replicas) {
      if (replica !== source.partition(at('orders', 1)).leader) source.stopBroker(replica)
    }
    source.partition(at('orders', 0)).leader = undefined
    const report = await verify([0, 1])
    assert.deepEqual(
      report.partitions.map(({ verdict }) => verdict),
      ['unreadable', 'identical'],
    )
    assert.match(report.partitions[0]?.problem ?? '', /LEADER_NOT_AVAILABLE.*orders/)
    assert.equal(report.identical, false)
  })

  test('a missing target topic is unreadable, not an exception', async () => {
    const { target, verify } = await setting()
    target.deleteTopic('copy')
    const report = await verify()
    assert.equal(report.partitions[0]?.verdict, 'unreadable')
    assert.match(report.partitions[0]?.problem ?? '', /eu-west.*copy/)
  })

  test('a corrupt batch is unreadable and names its place', async () => {
    const { clients, write, verify } = await setting()
    write('source', at('orders'), numbered(0, 2))
    write('target', at('copy'), numbered(0, 2))
    const report = await verify([0], { target: flippingABit(clients.target) })
    assert.equal(report.partitions[0]?.verdict, 'unreadable')
    assert.match(report.partitions[0]?.problem ?? '', /offset 1 of "copy" partition 0 on eu-west is corrupt/)
  })

  test('an abort ends it with its reason', async () => {
    const { write, verify } = await setting()
    write('source', at('orders'), numbered(0, 5))
    const stop = new AbortController()
    const verifying = verify([0], { signal: stop.signal, onProgress: () => stop.abort(new Error('enough')) })
    await assert.rejects(verifying, /enough/)
  })

  test('progress counts up to everything', async () => {
    const { write, verify } = await setting(2)
    write('source', at('orders', 1), numbered(0, 5))
    write('target', at('copy', 1), numbered(0, 4))
    const seen: CompareProgress[] = []
    await verify([0, 1], { onProgress: (progress) => seen.push(progress) })
    assert.deepEqual(seen.at(-1), {
      partitionsDone: 2,
      partitionsTotal: 2,
      sourceRecords: 5,
      targetRecords: 4,
    })
  })
})

describe('formatVerdict', () => {
  test('shows an aligned table, the first difference and the verdict', async () => {
    const { write, verify } = await setting(2)
    write('source', at('orders', 0), numbered(0, 1500))
    write('target', at('copy', 0), numbered(0, 1500))
    write('source', at('orders', 1), numbered(0, 3))
    write('target', at('copy', 1), numbered(1, 2))
    const report = await verify([0, 1])
    const digests = report.partitions.flatMap(({ source, target }) => [source.digest, target.digest])
    const [same, , ...other] = digests.map((digest) => digest.slice(0, 8))
    assert.equal(
      formatVerdict(report),
      [
        'topic   copy  partition  us-east  eu-west  digest             verdict',
        '------  ----  ---------  -------  -------  -----------------  ---------',
        `orders  copy          0    1 500    1 500  ${same}           identical`,
        `orders  copy          1        3        2  ${other.join(' ')}  1 missing`,
        '',
        `orders-1: first difference at us-east offset 0: missing; a record (key 2 B, value 2 B, timestamp ${stamp}) is not on the target`,
        '',
        'DIFFERENT: 1 of 2 partitions differ',
      ].join('\n'),
    )
  })

  test('says identical only when it is', async () => {
    const { write, verify } = await setting()
    write('source', at('orders'), numbered(0, 1))
    write('target', at('copy'), numbered(0, 1))
    assert.match(
      formatVerdict(await verify()),
      /IDENTICAL: 1 record in 1 partition, equal in order, key, value, headers and timestamp$/,
    )
    assert.match(formatVerdict(await verify([])), /NOT VERIFIED: nothing was compared$/)
    assert.match(
      formatVerdict(await verify([7])),
      /NOT VERIFIED: 1 of 1 partition could not be read to the end$/,
    )
  })
})

/** A cluster whose fetched batches have one bit wrong. */
function flippingABit(cluster: MemoryCluster): Cluster {
  return new Proxy<Cluster>(cluster, {
    get(real, name) {
      if (name === 'alias') return real.alias
      if (name !== 'openChannel') {
        const method = real[name as 'close']
        return method.bind(real)
      }
      return async (...args: Parameters<Cluster['openChannel']>) => {
        const channel = await real.openChannel(...args)
        const fetch = channel.fetch.bind(channel)
        channel.fetch = async (...request) => {
          const response = await fetch(...request)
          const bytes = response.partitions[0]?.records
          if (bytes !== undefined && bytes.length > 0) bytes[bytes.length - 2]! ^= 1
          return response
        }
        return channel
      }
    },
  })
}
