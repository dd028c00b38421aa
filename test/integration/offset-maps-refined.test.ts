import assert from 'node:assert/strict'
import { after, describe, test } from 'node:test'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import { LogWalks } from '../../replicator/logs/log-walks.ts'
import { CopyRefiner } from '../../replicator/offsets/copy-refiner.ts'
import type { CoarseSpan, OffsetMap } from '../../replicator/offsets/offset-map.ts'
import { createProducerRegistry } from '../../replicator/provenance/producer-registry.ts'
import { internalTopics } from '../../replicator/topology/internal-names.ts'
import { testBrokers } from './flow-pair.ts'
import { flow, judged, mapOf, mapUpTo } from './judge-map.ts'
import { killBeforeProgress, TrapScene } from './traps-scene.ts'

const seams = { clock: systemClock, random: systemRandom, backoff: defaultBackoff }

const scenes: TrapScene[] = []
const open: { close(): Promise<void> }[] = []
after(async () => {
  await Promise.all(open.map((each) => each.close()))
  await Promise.all(scenes.map((scene) => scene.close()))
})

async function newScene(): Promise<TrapScene> {
  const scene = await TrapScene.open({
    source: testBrokers('CAUSEWAY_TEST_SOURCE'),
    target: testBrokers('CAUSEWAY_TEST_TARGET'),
  })
  scenes.push(scene)
  return scene
}

/** As a running flow has it: both clusters' logs, and ids that the flow ever wrote with. */
function refinerOf(scene: TrapScene): CopyRefiner {
  const { producers: topic, progress: progressTopic } = internalTopics(scene)
  const registry = createProducerRegistry({
    cluster: scene.target,
    topic,
    progressTopic,
    create: 'never',
    isVital: false,
    ...seams,
  })
  const source = new LogWalks({ cluster: scene.source, ...seams })
  const target = new LogWalks({ cluster: scene.target, ...seams })
  open.push(registry, source, target)
  return new CopyRefiner({
    flow,
    walks: { source, target },
    rule: 'everything',
    origins: undefined,
    registry,
    writesAlone: false,
  })
}

const coarseOf = (map: OffsetMap): CoarseSpan[] =>
  [...map.spans()].filter((one): one is CoarseSpan => !('count' in one))

describe('a coarse span of the offset map', { timeout: 280_000 }, () => {
  test('that a kill left is refined from both logs: every position becomes exact', async () => {
    const scene = await newScene()
    await scene.produce(20)
    const first = await scene.start()
    await mapUpTo(scene, 20n)
    await killBeforeProgress(scene, first, async () => {
      await scene.produce(25)
      await scene.produceInTransaction(6, 'abort')
      await scene.produceInTransaction(5, 'commit')
      await scene.produce(8)
    })
    const second = await scene.start()
    await scene.produce(10)
    await scene.exact()
    await second.stop()
    const map = await mapOf(scene)
    assert(map !== undefined)
    assert((await judged(scene, map)).between > 0, 'what was copied between the last write and the kill')
    const refiner = refinerOf(scene)
    const copy = { topic: scene.topic, partition: 0, targetTopic: scene.topic, map }
    for (const span of coarseOf(map)) {
      const told = await refiner.refine(copy, span, AbortSignal.timeout(20_000))
      assert(told.kind === 'refined' && told.reason === undefined, JSON.stringify(told.kind))
    }
    const judgement = await judged(scene, map)
    assert.equal(judgement.between, 0, JSON.stringify(judgement))
    assert(judgement.exact > 120, JSON.stringify(judgement))
  })
})
