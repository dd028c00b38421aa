import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { Consumer } from '@platformatic/kafka'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import { adoptGroups } from '../../replicator/groups/adopt-groups.ts'
import { flowId, regionAlias } from '../../replicator/topology/identifiers.ts'
import { internalTopics } from '../../replicator/topology/internal-names.ts'
import type { ReadRecord } from '../kill/read-records.ts'
import { testBrokers } from './flow-pair.ts'
import { GroupReader, SceneGroup, truePlace } from './groups-scene.ts'
import { type ReplicateProcess, until } from './replicate-process.ts'
import { killBeforeProgress, TrapScene } from './traps-scene.ts'

const source = testBrokers('CAUSEWAY_TEST_SOURCE')
const target = testBrokers('CAUSEWAY_TEST_TARGET')
const groups = [{ match: '.*' }]
const kafka = { source: kafkajsClient('group-test', source), target: kafkajsClient('group-test', target) }

/** Positions differ between the two sides: transactions leave markers on the source, and takeovers on the target. */
describe('groups that are followed', { timeout: 300_000 }, () => {
  let scene: TrapScene
  let replicator: ReplicateProcess

  const read = async (side: 'source' | 'target'): Promise<readonly ReadRecord[]> =>
    (await scene.records(side)).get(`${scene.topic}/0`) ?? []

  /** Where the copy goes on for who has read the source below the position. */
  const placeOf = async (position: bigint): Promise<bigint> => {
    const [original, copy] = await Promise.all([read('source'), read('target')])
    const place = truePlace(original, copy, position)
    assert(place !== undefined)
    return place
  }

  before(async () => {
    scene = await TrapScene.open({ source, target })
    await scene.produce(20)
    await scene.produceInTransaction(6, 'commit')
    await scene.produceInTransaction(4, 'abort')
    await scene.produce(30)
    replicator = await scene.start({ groups })
    await scene.exact()
  })
  after(async () => {
    await scene?.close()
  })

  test('stand at the very next record, wherever they stood, with what they attached', async () => {
    const [original, copy] = await Promise.all([read('source'), read('target')])
    const positions = [...original.map(({ offset }) => offset), 27n, 28n, 33n]
    const all = await Promise.all(
      positions.map(async (position) => {
        const place = truePlace(original, copy, position)
        assert(place !== undefined)
        const group = new SceneGroup(scene)
        await group.commit(position, { metadata: `µ at ${position}` })
        await group.stands(place)
        return { ...(await group.committed('target')), place, position }
      }),
    )
    assert.equal(all.length, 59)
    for (const { position, place, offset, metadata, leaderEpoch } of all) {
      assert.deepEqual([offset, metadata, leaderEpoch], [place, `µ at ${position}`, undefined])
    }
    assert(all.some(({ position, place }) => position !== place))
  })

  test('go back when they go back on the source, and to its end', async () => {
    const group = new SceneGroup(scene)
    for (const position of [25n, 7n, 40n, 0n]) {
      await group.commit(position)
      await group.stands(await placeOf(position))
    }
    const [end] = await scene.source.listOffsets([{ topic: scene.topic, partition: 0, at: 'latest' }])
    assert(end?.result.ok)
    await group.commit(end.result.value.offset)
    await group.stands(((await read('target')).at(-1)?.offset ?? 0n) + 1n)
  })

  for (const protocol of ['classic', 'consumer'] as const) {
    test(`of the ${protocol} protocol: who fails over reads every record once`, async () => {
      const group = new SceneGroup(scene)
      const values = protocol === 'classic' ? await readClassic(group) : await readModern(group)
      const committed = await group.committed('source')
      assert(committed !== undefined)
      const place = await placeOf(committed.offset)
      await group.stands(place)
      const reader = await GroupReader.start({ kafka: kafka.target, group: group.name, topic: scene.topic })
      const all = (await scene.records('source')).get(`${scene.topic}/0`)?.length ?? 0
      await reader.has(all - values.length)
      await reader.commit()
      await reader.stop()
      const both = [...values, ...reader.values]
      assert.equal(both.length, all)
      assert.equal(new Set(both).size, all)
    })
  }

  async function readClassic(group: SceneGroup): Promise<readonly string[]> {
    const reader = await GroupReader.start({ kafka: kafka.source, group: group.name, topic: scene.topic })
    await reader.has(10)
    const load = scene.load()
    await reader.has(100)
    const { values } = await reader.commit()
    await reader.stop()
    await load.stop()
    await scene.exact()
    return reader.values.slice(0, values)
  }

  async function readModern(group: SceneGroup): Promise<readonly string[]> {
    const consumer = new Consumer({
      clientId: 'modern',
      groupId: group.name,
      bootstrapBrokers: [...source],
      groupProtocol: 'consumer',
      autocommit: false,
    })
    const stream = await consumer.consume({
      topics: [scene.topic],
      mode: 'committed',
      fallbackMode: 'earliest',
    })
    const values: string[] = []
    for await (const message of stream) {
      values.push(message.value.toString())
      if (values.length < 50) continue
      await message.commit()
      break
    }
    await consumer.close(true)
    return values
  }

  test('are the target’s own while they have members there, and afterwards', async () => {
    const group = new SceneGroup(scene)
    await group.commit(5n)
    await group.stands(await placeOf(5n))
    const reader = await GroupReader.start({ kafka: kafka.target, group: group.name, topic: scene.topic })
    await reader.has(20)
    const { position } = await reader.commit()
    await group.commit(1n)
    const witness = new SceneGroup(scene)
    await witness.commit(1n)
    await witness.stands(await placeOf(1n))
    assert.equal((await group.committed('target'))?.offset, position)
    await reader.stop()
    await group.commit(2n)
    await witness.commit(2n)
    await witness.stands(await placeOf(2n))
    assert.equal((await group.committed('target'))?.offset, position)
  })

  test('of tools, of Causeway’s own, and of topics that are not copied are left out', async () => {
    const group = new SceneGroup(scene)
    const tool = new SceneGroup(scene, `console-consumer-${scene.name}`)
    const own = new SceneGroup(scene, `causeway.other.${scene.name}`)
    await tool.commit(3n)
    await own.commit(3n)
    await group.commit(3n)
    await group.stands(await placeOf(3n))
    assert.deepEqual([await tool.committed('target'), await own.committed('target')], [undefined, undefined])
  })

  test('go on after a kill -9 and a takeover; what was committed before is known as ours', async () => {
    const group = new SceneGroup(scene)
    await group.commit(4n)
    await group.stands(await placeOf(4n))
    await replicator.kill()
    await group.commit(9n)
    await scene.produce(10)
    replicator = await scene.start({ groups })
    await scene.exact()
    await group.stands(await placeOf(9n))
    await group.commit(11n)
    await group.stands(await placeOf(11n))
    await replicator.stop()
    await group.commit(14n)
    replicator = await scene.start({ groups })
    await group.stands(await placeOf(14n))
  })

  test('stand exactly where they should inside what a kill left unwritten of the map', async () => {
    const [before] = await scene.source.listOffsets([{ topic: scene.topic, partition: 0, at: 'latest' }])
    assert(before?.result.ok)
    await killBeforeProgress(scene, replicator, () => scene.produce(30))
    const positions = [1n, 15n, 29n].map((more) =>
      before.result.ok ? before.result.value.offset + more : 0n,
    )
    const group = new SceneGroup(scene)
    await group.commit(positions[0] ?? 0n)
    replicator = await scene.start({ groups })
    await scene.exact()
    for (const position of positions) {
      await group.commit(position)
      await group.stands(await placeOf(position))
    }
  })

  test('that another replicator left on the target are followed on once they are adopted, and never back', async () => {
    const [behind, ahead] = [new SceneGroup(scene), new SceneGroup(scene)]
    await replicator.stop()
    for (const [group, onSource, onTarget] of [
      [behind, 20n, 5n],
      [ahead, 10n, 30n],
    ] as const) {
      await group.commit(onSource)
      await group.commit(await placeOf(onTarget), { side: 'target' })
    }
    replicator = await scene.start({ groups })
    const witness = new SceneGroup(scene)
    await witness.commit(2n)
    await witness.stands(await placeOf(2n))
    await behind.stands(await placeOf(5n))
    await replicator.stop()
    await adoptGroups(
      {
        flow: flowId(regionAlias('us-east'), regionAlias('eu-west')),
        shards: 1,
        target: scene.target,
        ledgerTopic: internalTopics(scene).groups,
        prepare: async () => {},
        selects: (group) => group === behind.name || group === ahead.name,
        places: [{ topic: scene.topic, partition: 0, targetTopic: scene.topic }],
        isDryRun: false,
        clock: systemClock,
        random: systemRandom,
        backoff: defaultBackoff,
      },
      AbortSignal.timeout(20_000),
    )
    replicator = await scene.start({ groups })
    await behind.stands(await placeOf(20n))
    await ahead.stands(await placeOf(30n))
    await ahead.commit(40n)
    await ahead.stands(await placeOf(40n))
  })

  test('that a process meant to move are moved by the next one, however late its commit comes', async () => {
    const group = new SceneGroup(scene)
    await group.commit(6n)
    await group.stands(await placeOf(6n))
    const { pid } = replicator.child
    assert(pid !== undefined)
    process.kill(pid, 'SIGSTOP')
    const stopped = replicator
    try {
      await group.commit(8n)
      replicator = await scene.start({ groups })
      await group.stands(await placeOf(8n))
    } finally {
      process.kill(pid, 'SIGCONT')
    }
    await group.commit(12n)
    await group.stands(await placeOf(12n))
    await until(
      'the first one gives up',
      () =>
        stopped.log.some(({ event }) => event === 'shard-lost') ||
        stopped.child.exitCode !== null ||
        undefined,
      () => stopped.text,
    )
    await stopped.kill()
    await group.commit(13n)
    await group.stands(await placeOf(13n))
  })
})
