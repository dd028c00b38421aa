import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { testBrokers } from './flow-pair.ts'
import { judged, mapOf, mapUpTo } from './judge-map.ts'
import { killBeforeProgress, type SceneOptions, TrapScene } from './traps-scene.ts'

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
