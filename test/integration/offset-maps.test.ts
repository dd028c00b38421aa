import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { OffsetMap } from '../../replicator/offsets/offset-map.ts'
import { readMap } from '../../replicator/offsets/read-map.ts'
import { sourceOffset, targetOffset } from '../../replicator/records/offsets.ts'
import { flowId, regionAlias } from '../../replicator/topology/identifiers.ts'
import { internalTopics } from '../../replicator/topology/internal-names.ts'
import { testBrokers } from './flow-pair.ts'
import { until } from './replicate-process.ts'
import { killBeforeProgress, type SceneOptions, TrapScene } from './traps-scene.ts'

const flow = flowId(regionAlias('us-east'), regionAlias('eu-west'))

const scenes: TrapScene[] = []
after(() => Promise.all(scenes.map((scene) => scene.close())))

async function sceneOf(options: Partial<SceneOptions> = {}): Promise<TrapScene> {
  const scene = await TrapScene.open({
    source: testBrokers('CAUSEWAY_TEST_SOURCE'),
    target: testBrokers('CAUSEWAY_TEST_TARGET'),
    ...options,
  })
  scenes.push(scene)
  return scene
}

function mapOf(scene: TrapScene, partition = 0): Promise<OffsetMap | undefined> {
  const { map: topic } = internalTopics(scene)
  return readMap(
    { cluster: scene.target, topic, clock: systemClock, random: systemRandom, backoff: defaultBackoff },
    { flow, topic: scene.topic, partition },
    { topicId: undefined, targetTopicId: undefined },
    AbortSignal.timeout(20_000),
  )
}

/** Waits until the map reaches this far: a process writes it every few seconds. */
const mapUpTo = (scene: TrapScene, source: bigint): Promise<OffsetMap> =>
  until(`the map reaches ${source}`, async () => {
    const map = await mapOf(scene)
    return map !== undefined && map.end.source >= source ? map : undefined
  })

interface Judgement {
  exact: number
  between: number
}

/**
 * Compares the map's answer for every position with both logs, read by a consumer that knows nothing of maps: a copy
 * is the record at the same place among the committed ones.
 */
async function judged(scene: TrapScene, map: OffsetMap): Promise<Judgement> {
  const [source = [], target = []] = await Promise.all(
    (['source', 'target'] as const).map(async (side) => (await scene.records(side)).get(`${scene.topic}/0`)),
  )
  assert.deepEqual(
    target.map(({ fingerprint }) => fingerprint),
    source.map(({ fingerprint }) => fingerprint),
  )
  const judgement = { exact: 0, between: 0 }
  /** How many records lie below an offset. */
  const below = (records: typeof source, offset: bigint): number =>
    records.filter((record) => record.offset < offset).length
  const judge = (
    records: typeof source,
    others: typeof source,
    position: bigint,
    answer: ReturnType<OffsetMap['translate']> | ReturnType<OffsetMap['translateBack']>,
  ): void => {
    const count = below(records, position)
    if (answer.kind === 'exact') {
      judgement.exact += 1
      assert.equal(below(others, answer.offset), count, `position ${position}`)
      if (answer.isNextRecord) assert.equal(others[count]?.offset, answer.offset, `position ${position}`)
    } else if (answer.kind === 'between') {
      judgement.between += 1
      assert(below(others, answer.from) <= count && count <= below(others, answer.to), `position ${position}`)
    } else assert.fail(`position ${position}: ${answer.kind}`)
  }
  for (let at = map.start.source; at <= map.end.source; at++)
    judge(source, target, at, map.translate(sourceOffset(at)))
  for (let at = map.start.target; at <= map.end.target; at++)
    judge(target, source, at, map.translateBack(targetOffset(at)))
  return judgement
}

describe('the offset map', { timeout: 280_000 }, () => {
  test('tells every position of transactions, gaps and restarts exactly', async () => {
    const scene = await sceneOf()
    const first = await scene.start()
    await scene.produce(30)
    for (const end of ['commit', 'abort', 'commit'] as const) {
      await scene.produceInTransaction(7, end)
      await scene.produce(3)
    }
    await scene.exact()
    await first.stop()
    const second = await scene.start()
    await scene.produce(12)
    await scene.produceInTransaction(5, 'commit')
    await scene.exact()
    await second.stop()
    const map = await mapOf(scene)
    assert(map !== undefined, 'it was written when the process ended')
    assert.equal(map.start.source, 0n)
    const judgement = await judged(scene, map)
    assert.equal(judgement.between, 0, 'both ended properly, so nothing is coarse')
    assert(judgement.exact > 120, JSON.stringify(judgement))
  })

  test('what a kill left unwritten is a coarse span with true ends; all else stays exact', async () => {
    const scene = await sceneOf()
    await scene.produce(20)
    const first = await scene.start()
    await mapUpTo(scene, 20n)
    await killBeforeProgress(scene, first, () => scene.produce(50))
    const second = await scene.start()
    await scene.produce(10)
    await scene.exact()
    await second.stop()
    const map = await mapOf(scene)
    assert(map !== undefined)
    assert.equal(map.start.source, 0n)
    const judgement = await judged(scene, map)
    assert(judgement.between > 0, 'what was copied between the last write and the kill')
    assert(judgement.exact >= 50, JSON.stringify(judgement))
  })
})
