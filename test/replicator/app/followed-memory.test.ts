import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readFollowed } from '../../../replicator/app/followed-memory.ts'
import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import type { Followed } from '../../../replicator/groups/follow-group.ts'
import {
  encodeFollowed,
  encodeFollowedKey,
  type FollowedKey,
} from '../../../replicator/groups/followed-record.ts'
import { TopicLog } from '../../../replicator/kafka/topic-log.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { SimulatedBrokers } from '../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'

const [us, eu] = [regionAlias('us'), regionAlias('eu')]
const flow = flowId(us, eu)
const topic = 'causeway.test.groups'
const signal = new AbortController().signal
const at: FollowedKey = { flow, direction: 'forth', group: 'billing', topic: 'orders', partition: 0 }
const followed = (position: number, atMs = position): Followed => ({
  position: sourceOffset(BigInt(position)),
  offset: targetOffset(BigInt(position + 10)),
  metadata: 'µ',
  atMs,
})

class Scene {
  readonly clock = new SimulatedClock()
  readonly random = new SeededRandom(1)
  readonly cluster = new MemoryCluster(new SimulatedBrokers({ clock: this.clock }), { alias: eu })

  async create(): Promise<void> {
    const created = { name: topic, partitions: 2, replicationFactor: 1, configs: new Map() }
    for (const outcome of (await this.cluster.createTopics([created])).values()) assert(outcome.ok)
  }

  async write(shard: number, key: Buffer, value: Buffer | null): Promise<void> {
    const log = new TopicLog({ ...this, topic, backoff: defaultBackoff })
    await log.append(shard, [{ key, value, headers: [], timestamp: 0n }], signal)
    await log.close()
  }

  remember(commits: readonly Followed[], change: Partial<FollowedKey> = {}, shard = 0): Promise<void> {
    return this.write(shard, encodeFollowedKey({ ...at, ...change }), encodeFollowed(commits))
  }

  read() {
    return readFollowed({ ...this, topic, flow, group: 'billing' }, signal)
  }
}

const scene = (work: (scene: Scene) => Promise<void>) => async () => {
  const created = new Scene()
  await created.clock.run(work(created))
}

describe('what a flow has written down of a group', () => {
  test(
    'is nothing without its topic, and by partition and direction with it',
    scene(async (scene) => {
      assert.deepEqual(await scene.read(), { kind: 'known', value: { forth: [], back: [] } })
      await scene.create()
      await scene.remember([followed(1)])
      await scene.remember([followed(1), followed(2)])
      await scene.remember([followed(3)], { partition: 1 }, 1)
      await scene.remember([followed(4)], { direction: 'back', topic: 'us.orders' })
      await scene.remember([followed(5)], { group: 'others' })
      await scene.remember([followed(6)], { flow: flowId(eu, us) })
      await scene.remember([followed(7)], { partition: 2 })
      await scene.write(0, encodeFollowedKey({ ...at, partition: 2 }), null)
      assert.deepEqual(await scene.read(), {
        kind: 'known',
        value: {
          forth: [
            { topic: 'orders', partition: 0, commits: [followed(1), followed(2)] },
            { topic: 'orders', partition: 1, commits: [followed(3)] },
          ],
          back: [{ topic: 'us.orders', partition: 0, commits: [followed(4)] }],
        },
      })
    }),
  )

  for (const order of [
    [0, 1],
    [1, 0],
  ] as const)
    test(
      `of another number of shards counts as far as it is the newest: ${order}`,
      scene(async (scene) => {
        await scene.create()
        await scene.remember([followed(1, 100)], {}, order[0])
        await scene.remember([followed(2, 200)], {}, order[1])
        const memory = await scene.read()
        assert(memory.kind === 'known')
        assert.deepEqual(memory.value.forth[0]?.commits, [followed(2, 200)])
        assert.equal(memory.value.forth.length, 1)
      }),
    )

  test(
    'is unknown where it cannot be read',
    scene(async (scene) => {
      await scene.create()
      await scene.write(0, Buffer.from('{"v":2}'), Buffer.from('{}'))
      const memory = await scene.read()
      assert(memory.kind === 'unknown')
      assert.match(memory.reason, /Not a record of followed groups/)
    }),
  )
})
