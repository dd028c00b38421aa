import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { BenchCluster } from '../bench/bench-cluster.ts'
import { fillTopic } from '../bench/failover/failover-session.ts'
import { indexAt, type SequenceLog, type Verdict } from '../bench/failover/judge.ts'
import { type LaggingGroup, LaggingGroups, settledPositions } from '../bench/failover/lagging-groups.ts'
import { type FailoverPlan, judgeGroups, measureFailover } from '../bench/failover/measure-failover.ts'
import { readSequences } from '../bench/failover/sequence-reader.ts'
import type { SequenceWriter } from '../bench/failover/sequence-writer.ts'
import { causeway } from '../bench/systems/causeway.ts'
import { testBrokers } from './flow-pair.ts'

const plan: FailoverPlan = {
  partitions: 2,
  recordBytes: 100,
  records: 6_000,
  deleted: 1_500,
  lags: [0, 1, 1000],
  loadPerSecond: 200,
  loadSeconds: 2,
  quietSeconds: 2,
}
const verdict = (counts: { skipped?: number; reread?: number }): Verdict => ({
  kind: 'goes-on',
  skipped: 0,
  reread: 0,
  missing: 0,
  ...counts,
})

describe('the benchmark of groups that change clusters', { timeout: 240_000 }, () => {
  const { signal } = new AbortController()
  const run = randomUUID().slice(0, 8)
  const topic = `failover-${run}`
  let folder: string
  let clusters: { readonly source: BenchCluster; readonly target: BenchCluster }
  let writer: SequenceWriter

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'causeway-failover-test-'))
    const [source] = testBrokers('CAUSEWAY_TEST_SOURCE')
    const [target] = testBrokers('CAUSEWAY_TEST_TARGET')
    assert(source !== undefined && target !== undefined)
    clusters = { source: await BenchCluster.connect(source), target: await BenchCluster.connect(target) }
    writer = await fillTopic(clusters, topic, plan)
  })
  after(async () => {
    await writer?.close()
    await Promise.all([clusters?.source.close(), clusters?.target.close()])
    await rm(folder, { recursive: true, force: true })
  })

  /** A copy by hand, from the first record that is left: offsets begin at 0, and there are no markers. */
  async function copyByHand(logs: readonly SequenceLog[]): Promise<string> {
    const copy = `${topic}-by-hand`
    await clusters.target.createTopic(copy, plan.partitions)
    const producer = clusters.target.kafka.producer()
    await producer.connect()
    for (const [partition, { sequences }] of logs.entries()) {
      const messages = sequences.map((sequence) => {
        const value = Buffer.alloc(8)
        value.writeDoubleBE(sequence)
        return { partition, value }
      })
      await producer.send({ topic: copy, acks: -1, messages })
    }
    await producer.disconnect()
    return copy
  }

  test('what was written is read back, shifted by what was deleted and by markers', async () => {
    const logs = await readSequences(clusters.source, topic, signal)
    const wanted = Array.from({ length: plan.records - plan.deleted }, (_, at) => plan.deleted + at)
    for (const { sequences, offsets } of logs) {
      assert.deepEqual(sequences, wanted)
      assert((offsets[0] ?? 0) >= plan.deleted)
    }
    const [plain, transactional] = logs
    assert(plain !== undefined && transactional !== undefined)
    assert.equal(plain.end, plan.records)
    assert.ok(transactional.end > plan.records)
    for (const lag of [0, 1, 1000, 1001]) {
      const unread = logs.map((log, at) => log.offsets.length - indexAt(log, writer.positionBehind(at, lag)))
      assert.deepEqual(unread, [lag, lag])
    }
  })

  test('a commit that is wrong on purpose is told, by how much and in which direction', async () => {
    const source = await readSequences(clusters.source, topic, signal)
    const copy = await copyByHand(source)
    const name = `by-hand-${run}`
    const lag = 1000
    const right = plan.records - plan.deleted - lag
    const wrongBy = new Map<LaggingGroup, number>(
      [0, 1, -1, 250, -3500, lag].map((by) => [{ id: `${name}${by}`, lag }, by]),
    )
    const groups = [...wrongBy.keys(), { id: `${name}-without`, lag }]
    const onSource = new LaggingGroups(clusters.source.bootstrap, topic, writer)
    await onSource.commit(groups)
    const onTarget = new LaggingGroups(clusters.target.bootstrap, copy, {
      acknowledged: [0, 0],
      positionBehind: (_, offset) => offset,
    })
    await onTarget.commit([...wrongBy].map(([{ id }, by]) => ({ id, lag: right + by })))
    const { positions } = await settledPositions(
      { target: clusters.target, topic: copy, partitions: 2, groups, quietMs: 500, patienceMs: 1500 },
      signal,
    )
    await Promise.all([onSource.close(), onTarget.close()])
    const target = await readSequences(clusters.target, copy, signal)
    const judged = judgeGroups('at-rest', {
      positions,
      sources: onSource.positions,
      logs: { source, target },
    })
    const told = judged.map(({ partitions }) =>
      partitions.map(({ partition: _, sourcePosition: __, targetPosition: ___, ...rest }) => rest),
    )
    const both = (one: Verdict) => [one, one]
    assert.deepEqual(told, [
      both(verdict({})),
      both(verdict({ skipped: 1 })),
      both(verdict({ reread: 1 })),
      both(verdict({ skipped: 250 })),
      both(verdict({ reread: 3500 })),
      both(verdict({ skipped: lag })),
      both({ kind: 'no-commit' }),
    ])
  })

  test('in short, with Causeway: nothing skipped, nothing read again', async () => {
    const jobFolder = join(folder, 'job')
    await mkdir(jobFolder)
    const job = {
      id: run,
      folder: jobFolder,
      topic,
      sourceBootstrap: clusters.source.bootstrap,
      targetBootstrap: clusters.target.bootstrap,
    }
    const scene = { system: causeway(), job, clusters, writer, plan, say: () => {} }
    const { groups } = await measureFailover(scene, signal)
    assert.equal(groups.length, 2 * plan.lags.length)
    for (const { situation, lag, partitions } of groups) {
      for (const { partition, sourcePosition, targetPosition, ...rest } of partitions) {
        assert.deepEqual(rest, verdict({}), `${situation}, lag ${lag}, partition ${partition}`)
        assert.notEqual(sourcePosition, targetPosition)
      }
    }
  })
})
