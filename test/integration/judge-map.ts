import assert from 'node:assert/strict'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { OffsetMap } from '../../replicator/offsets/offset-map.ts'
import { sourceOffset, targetOffset } from '../../replicator/records/offsets.ts'
import { flowId, regionAlias } from '../../replicator/topology/identifiers.ts'
import { internalTopics } from '../../replicator/topology/internal-names.ts'
import { readMap } from './read-map.ts'
import { until } from './replicate-process.ts'
import type { TrapScene } from './traps-scene.ts'

/** The flow of every scene. */
export const flow = flowId(regionAlias('us-east'), regionAlias('eu-west'))

/** What the scene's replicators have written of a partition's map. */
export function mapOf(scene: TrapScene, partition = 0): Promise<OffsetMap | undefined> {
  const { map: topic } = internalTopics(scene)
  return readMap(
    { cluster: scene.target, topic, clock: systemClock, random: systemRandom, backoff: defaultBackoff },
    { flow, topic: scene.topic, partition },
    { topicId: undefined, targetTopicId: undefined },
    AbortSignal.timeout(20_000),
  )
}

/** Waits until the map reaches this far: a process writes it every few seconds. */
export const mapUpTo = (scene: TrapScene, source: bigint): Promise<OffsetMap> =>
  until(`the map reaches ${source}`, async () => {
    const map = await mapOf(scene)
    return map !== undefined && map.end.source >= source ? map : undefined
  })

export interface Judgement {
  exact: number
  between: number
}

/**
 * Compares the map's answer for every position with both logs, read by a consumer that knows nothing of maps: a copy
 * is the record at the same place among the committed ones.
 */
export async function judged(scene: TrapScene, map: OffsetMap): Promise<Judgement> {
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
