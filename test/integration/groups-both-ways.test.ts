import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import type { Admin, Kafka } from 'kafkajs'
import { kafkajsClient } from '../../replicator/cli/demo/kafkajs-client.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'
import { type ReadRecord, readRecords } from '../kill/read-records.ts'
import { createTopics } from './create-topics.ts'
import { testBrokers } from './flow-pair.ts'
import { truePlace } from './groups-scene.ts'
import { ReplicateProcess, until } from './replicate-process.ts'

type Side = 'east' | 'west'

const bootstrap = {
  east: testBrokers('CAUSEWAY_TEST_SOURCE'),
  west: testBrokers('CAUSEWAY_TEST_TARGET'),
}
const other = { east: 'west', west: 'east' } as const

/** Two regions that copy to each other under prefixed names; consumers of either read local records and copies. */
describe('groups of two regions that copy to each other', { timeout: 240_000 }, () => {
  const run = randomUUID().slice(0, 8)
  const topic = `both-${run}`
  const kafka: Record<Side, Kafka> = {
    east: kafkajsClient('both', bootstrap.east),
    west: kafkajsClient('both', bootstrap.west),
  }
  const connect = (side: Side): Cluster =>
    createKafkaCluster({
      alias: regionAlias(side),
      settings: { clientId: 'both', bootstrap: bootstrap[side] },
      clock: systemClock,
      random: systemRandom,
    })
  const clusters: Record<Side, Cluster> = { east: connect('east'), west: connect('west') }
  const admins: Record<Side, Admin> = { east: kafka.east.admin(), west: kafka.west.admin() }
  const config = {
    name: `both-${run}`,
    pattern: 'custom',
    regions: {
      east: { role: 'peer', bootstrap: bootstrap.east },
      west: { role: 'peer', bootstrap: bootstrap.west },
    },
    flows: (['east', 'west'] as const).map((source) => ({
      source,
      target: other[source],
      topics: [{ name: topic }],
      groups: [{ match: `group-${run}.*` }],
      naming: 'prefixed',
      replicationFactor: 'broker-default',
      shards: 2,
    })),
    replicas: { instanceId: 'one', sessionTimeout: '6s' },
  }
  let folder = ''
  let replicator: ReplicateProcess

  const produce = async (side: Side, count: number): Promise<void> => {
    const producer = kafka[side].producer()
    await producer.connect()
    const messages = Array.from({ length: count }, (_, i) => ({ partition: 0, value: `${side} ${i}` }))
    await producer.send({ topic, messages })
    await producer.disconnect()
  }

  /** As a tool does; kafkajs would join the group for it, and take seconds. */
  const commit = async (side: Side, group: string, name: string, offset: bigint): Promise<void> => {
    const commits = [{ topic: name, partition: 0, offset, leaderEpoch: undefined, metadata: '' }]
    const outcome = await clusters[side].commitGroupOffsets(group, commits)
    assert(outcome.kind === 'answered' && outcome.partitions[0]?.result.ok, JSON.stringify(outcome))
  }

  const committed = async (side: Side, group: string, name: string): Promise<bigint | undefined> => {
    const [found] = await admins[side].fetchOffsets({ groupId: group, topics: [name] })
    const offset = BigInt(found?.partitions.find(({ partition }) => partition === 0)?.offset ?? -1)
    return offset < 0n ? undefined : offset
  }

  const stands = (side: Side, group: string, name: string, offset: bigint | undefined) => {
    let last: bigint | undefined
    return until(
      `${group} at ${name}@${offset} in ${side}`,
      async () => {
        last = await committed(side, group, name)
        return (offset !== undefined && last === offset) || undefined
      },
      () => `it stands at ${last}\n${replicator.text}`,
    )
  }

  /** Nothing is written after they were read. By side, then by topic. */
  const logs: Record<Side, Map<string, readonly ReadRecord[]>> = { east: new Map(), west: new Map() }

  /** Where `to` on one side goes on for who has read `from` on the other one below the position. */
  const placeOf = (from: [Side, string], to: [Side, string], position: bigint): bigint | undefined => {
    const log = ([side, name]: [Side, string]) => logs[side].get(name) ?? []
    return truePlace(log(from), log(to), position)
  }

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'causeway-both-ways-'))
    await Promise.all([admins.east.connect(), admins.west.connect()])
    for (const side of ['east', 'west'] as const)
      await createTopics(admins[side], [{ topic, numPartitions: 1 }])
    await produce('east', 5)
    await produce('west', 30)
    await produce('east', 20)
    replicator = await ReplicateProcess.start(folder, config)
    await replicator.ready()
    for (const side of ['east', 'west'] as const) {
      const copy = `${other[side]}.${topic}`
      await until(`the copy in ${side}`, async () => {
        const offsets = await admins[side].fetchTopicOffsets(copy).catch(() => [])
        return offsets.some(({ high }) => Number(high) >= (side === 'east' ? 30 : 25)) || undefined
      })
      const read = await readRecords(kafka[side], [topic, copy])
      for (const name of [topic, copy]) logs[side].set(name, read.get(`${name}/0`) ?? [])
    }
    assert.deepEqual(
      [...logs.east.values(), ...logs.west.values()].map(({ length }) => length),
      [25, 30, 30, 25],
    )
  })
  after(async () => {
    await replicator?.kill()
    await Promise.all([admins.east.disconnect(), admins.west.disconnect()])
    await Promise.all([clusters.east.close(), clusters.west.close()])
    await rm(folder, { recursive: true, force: true })
  })

  for (const side of ['east', 'west'] as const) {
    test(`who reads ${side}’s records and the others’ copies there stands right in the other region, for both`, async () => {
      const group = `group-${run}-of-${side}`
      const there = other[side]
      const [copyHere, copyThere] = [`${there}.${topic}`, `${side}.${topic}`]
      for (const [local, copied] of [
        [3n, 11n],
        [8n, 4n],
      ] as const) {
        await commit(side, group, topic, local)
        await commit(side, group, copyHere, copied)
        await stands(there, group, copyThere, placeOf([side, topic], [there, copyThere], local))
        await stands(there, group, topic, placeOf([side, copyHere], [there, topic], copied))
      }
      // What was committed there by the flows is not taken for the other region's members' and followed back.
      assert.deepEqual(
        [await committed(side, group, topic), await committed(side, group, copyHere)],
        [8n, 4n],
      )
    })
  }

  test('that are deleted on both sides are not brought back by each other', async () => {
    const group = `group-${run}-deleted`
    await commit('east', group, topic, 6n)
    const copy = `east.${topic}`
    await stands('west', group, copy, placeOf(['east', topic], ['west', copy], 6n))
    await admins.east.deleteGroups([group])
    const witness = `group-${run}-witness`
    await commit('east', witness, topic, 6n)
    await stands('west', witness, copy, placeOf(['east', topic], ['west', copy], 6n))
    assert.equal(await committed('east', group, topic), undefined)
  })
})
