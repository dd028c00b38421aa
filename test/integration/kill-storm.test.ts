import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { installKafka } from '../../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { runStorm } from '../kill/storm.ts'

const clusters: LocalCluster[] = []
let folder: string

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-storm-'))
  const { signal } = new AbortController()
  const installation = await installKafka({}, signal)
  await Promise.all(
    ['storm-source', 'storm-target'].map(async (alias, at) => {
      const options = { alias, brokers: 3, heapMb: 256, installation, folder, startTimeoutMs: 120_000 }
      clusters[at] = await startLocalCluster(options, signal)
    }),
  )
})
after(async () => {
  await Promise.all(clusters.map((cluster) => cluster.stop()))
  await rm(folder, { recursive: true, force: true, maxRetries: 3 })
})

test('killed replicators and brokers: nothing lost, nothing twice, nothing out of order', {
  timeout: 200_000,
}, async (t) => {
  const [source, target] = clusters
  assert(source !== undefined && target !== undefined)
  const report = await runStorm({
    source,
    target,
    folder,
    seed: Date.now() % 2 ** 31,
    kills: 5,
    brokerRestarts: 2,
    killPauseMsMax: 1500,
    brokerPauseMsMax: 4000,
    paceMs: 25,
    say: (line) => t.diagnostic(line),
  })
  const { lost, duplicated, reordered, foreign, crashes, records, load, verified, drained } = report
  assert.deepEqual(
    { lost, duplicated, reordered, foreign },
    { lost: 0, duplicated: 0, reordered: 0, foreign: 0 },
  )
  assert.deepEqual(crashes, [])
  assert(records.source >= load.acknowledged && load.acknowledged > 0, JSON.stringify({ records, load }))
  assert(verified, 'verify agrees')
  assert(drained, 'the last one drains')
})
