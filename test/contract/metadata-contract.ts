import assert from 'node:assert/strict'
import type { TopicConfigEntry } from '../../replicator/kafka/cluster.ts'
import {
  type Check,
  type ContractHarness,
  codeOf,
  eventually,
  fetchOne,
  makeTopic,
  partitionOf,
  usableTopic,
  withChannel,
} from './contract-harness.ts'

/** Topics, partitions and configs. */
export function metadataContract(check: Check): void {
  check('a created topic is listed and described', async (harness) => {
    const { cluster } = harness
    const made = await makeTopic(harness, { partitions: 3 })
    const listed = (await cluster.listTopics()).find((topic) => topic.name === made.name)
    assert.deepEqual(listed, made)
    assert.match(made.id ?? '', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    assert.equal(made.internal, false)
    assert.deepEqual(
      made.partitions.map(({ partition }) => partition),
      [0, 1, 2],
    )
    const { brokers, clusterId } = await cluster.describeCluster()
    assert.notEqual(clusterId, '')
    for (const { leader, leaderEpoch, replicas } of made.partitions) {
      assert(leader !== undefined && brokers.includes(leader))
      assert.equal(leaderEpoch, 0)
      assert.deepEqual(replicas, [leader])
    }
  })

  check('a topic that does not exist is missing', async (harness) => {
    const name = harness.newName()
    const found = await harness.cluster.describeTopics([name])
    assert.deepEqual([...found], [[name, { kind: 'missing' }]])
  })

  check('topics that cannot be created do not keep others from being created', async (harness) => {
    const { cluster } = harness
    const existing = await makeTopic(harness)
    const name = harness.newName()
    const wanted = (suffix: string, partitions = 1, replicationFactor = 1, config?: [string, string]) => ({
      name: `${name}${suffix}`,
      partitions,
      replicationFactor,
      configs: new Map(config === undefined ? [] : [config]),
    })
    const outcomes = await cluster.createTopics([
      wanted(''),
      { ...wanted(''), name: existing.name },
      wanted('-no-partitions', 0),
      wanted('-few-brokers', 1, 1000),
      wanted('-bad name!'),
      wanted('-bad-config', 1, 1, ['no.such.config', '1']),
      wanted('-bad-value', 1, 1, ['retention.ms', 'soon']),
    ])
    assert.deepEqual(
      [...outcomes].map(([topic, outcome]) => [topic, codeOf(outcome)]),
      [
        [name, 0],
        [existing.name, 36],
        [`${name}-no-partitions`, 37],
        [`${name}-few-brokers`, 38],
        [`${name}-bad name!`, 17],
        [`${name}-bad-config`, 40],
        [`${name}-bad-value`, 40],
      ],
    )
    await usableTopic(harness, name, 1)
  })

  check('a name that differs from another only in dots and underscores is refused', async (harness) => {
    const name = harness.newName()
    await makeTopic(harness, { name: `${name}.a_b` })
    const wanted = { partitions: 1, replicationFactor: 1, configs: new Map<string, string>() }
    const outcomes = await harness.cluster.createTopics([{ ...wanted, name: `${name}_a.b` }])
    assert.equal(codeOf(outcomes.get(`${name}_a.b`)!), 17)
  })

  check('partitions are added, never taken away', async (harness) => {
    const { cluster } = harness
    const { name } = await makeTopic(harness, { partitions: 2 })
    const missing = harness.newName()
    const grow = async (topic: string, total: number) =>
      codeOf((await cluster.growTopics(new Map([[topic, total]]))).get(topic)!)
    assert.equal(await grow(name, 2), 37)
    assert.equal(await grow(name, 1), 37)
    assert.equal(await grow(missing, 4), 3)
    assert.equal(await grow(name, 4), 0)
    const grown = await usableTopic(harness, name, 4)
    assert.equal(grown.partitions.length, 4)
  })

  check('configs name their source, and only named ones change', async (harness) => {
    const { cluster } = harness
    const { name } = await makeTopic(harness, { configs: { 'retention.ms': '1000', 'segment.ms': '2000' } })
    const before = await configs(harness, name)
    assert.deepEqual(stated(before.get('retention.ms')), ['1000', 'topic'])
    assert.deepEqual(stated(before.get('segment.ms')), ['2000', 'topic'])
    assert.deepEqual(stated(before.get('cleanup.policy')), ['delete', 'default'])
    const outcome = await cluster.alterTopicConfigs(
      new Map([
        [
          name,
          [
            { kind: 'set', name: 'max.message.bytes', value: '5000' },
            { kind: 'delete', name: 'segment.ms' },
          ],
        ],
      ]),
    )
    assert.equal(codeOf(outcome.get(name)!), 0)
    const altered = await eventually(harness, async () => {
      const now = await configs(harness, name)
      return now.get('max.message.bytes')?.value === '5000' ? now : undefined
    })
    assert.deepEqual(stated(altered.get('max.message.bytes')), ['5000', 'topic'])
    assert.deepEqual(stated(altered.get('retention.ms')), ['1000', 'topic'])
    assert.equal(altered.get('segment.ms')?.source, 'default')
  })

  check('config changes that make no sense are refused', async (harness) => {
    const { cluster } = harness
    const { name } = await makeTopic(harness)
    const missing = harness.newName()
    const alter = async (topic: string, config: string, value: string) =>
      codeOf(
        (await cluster.alterTopicConfigs(new Map([[topic, [{ kind: 'set', name: config, value }]]]))).get(
          topic,
        )!,
      )
    assert.equal(await alter(name, 'no.such.config', '1'), 40)
    assert.equal(await alter(name, 'retention.ms', 'soon'), 40)
    assert.equal(await alter(missing, 'retention.ms', '1000'), 3)
    assert.equal(codeOf((await cluster.describeTopicConfigs([missing])).get(missing)!), 3)
  })

  check('a topic made again under its name is another topic', async (harness) => {
    const { cluster } = harness
    const first = await makeTopic(harness)
    await harness.deleteTopic(first.name)
    await eventually(harness, async () => {
      const found = (await cluster.describeTopics([first.name])).get(first.name)
      return found?.kind === 'missing' ? true : undefined
    })
    const second = await makeTopic(harness, { name: first.name })
    assert.notEqual(second.id, first.id)
    await withChannel(harness, second, async (channel) => {
      const stale = await fetchOne(channel, partitionOf(first, 0n))
      assert.equal(stale.error?.code, 100)
      assert.equal(stale.error?.retriable, true)
      assert.equal((await fetchOne(channel, partitionOf(second, 0n))).error, undefined)
    })
  })
}

async function configs(
  harness: ContractHarness,
  name: string,
): Promise<ReadonlyMap<string, TopicConfigEntry>> {
  const described = (await harness.cluster.describeTopicConfigs([name])).get(name)
  assert(described?.ok)
  return new Map(described.value.map((entry) => [entry.name, entry]))
}

const stated = (entry: TopicConfigEntry | undefined) => [entry?.value, entry?.source]
