import type { TopicAcl } from '../../../replicator/kafka/acl-binding.ts'
import {
  type BrokerChannel,
  brokerId,
  type Cluster,
  type NewTopic,
  type OffsetAnswer,
  type Outcome,
  type ProducerIdentity,
  type Result,
  type TopicConfigChange,
  type TopicConfigEntry,
  type TopicLookup,
  type TopicMetadata,
} from '../../../replicator/kafka/cluster.ts'
import { type KafkaError, protocolError, transportError } from '../../../replicator/kafka/errors.ts'
import type { RegionAlias } from '../../../replicator/topology/model.ts'
import { SimulatedAcls } from '../../simulation/simulated-acls.ts'

/** The protocol's codes that the tests answer with. */
export const codes = {
  unknownTopic: 3,
  invalidTopic: 17,
  topicAuthorization: 29,
  topicExists: 36,
  invalidPartitions: 37,
  invalidReplicationFactor: 38,
  invalidConfig: 40,
} as const

interface FakeTopic {
  id: string
  leaders: (number | undefined)[]
  internal: boolean
  configs: Map<string, string>
}

/** The topics of a cluster without brokers: creation, growth and configs, and refusals on demand. */
export class FakeTopics implements Cluster {
  readonly alias: RegionAlias
  readonly topics = new Map<string, FakeTopic>()
  /** Broker defaults: the configs that this cluster's version knows. */
  readonly defaults = new Map([
    ['retention.ms', '604800000'],
    ['cleanup.policy', 'delete'],
    ['min.insync.replicas', '1'],
  ])
  /** `<method>:<topic>` to the code that it is refused with. */
  readonly refusals = new Map<string, number>()
  readonly hidden = new Set<string>()
  readonly acls = new SimulatedAcls()
  /** Does not answer questions about ACLs. */
  hidesAcls = false
  /** How many describeTopics answers show a new topic without leaders. */
  leaderlessAnswers = 0
  isDown = false
  readonly calls: string[] = []
  #ids = 0

  constructor(alias: string) {
    this.alias = alias as RegionAlias
  }

  add(
    name: string,
    partitions: number,
    options: { internal?: boolean; configs?: Record<string, string> } = {},
  ) {
    this.topics.set(name, {
      id: `${this.alias}-${++this.#ids}`,
      leaders: new Array(partitions).fill(1),
      internal: options.internal ?? false,
      configs: new Map(Object.entries(options.configs ?? {})),
    })
  }

  grow(name: string, total: number) {
    const topic = this.topics.get(name)
    while (topic !== undefined && topic.leaders.length < total) topic.leaders.push(1)
  }

  async listTopics(): Promise<readonly TopicMetadata[]> {
    this.#call('listTopics')
    return [...this.topics.keys()]
      .filter((name) => !this.hidden.has(name))
      .map((name) => this.#metadata(name))
  }

  async describeTopics(names: readonly string[]): Promise<ReadonlyMap<string, TopicLookup>> {
    this.#call('describeTopics', names)
    if (this.leaderlessAnswers > 0) this.leaderlessAnswers--
    return new Map(
      names.map((name): [string, TopicLookup] => {
        const error = this.#refusal('describeTopics', name)
        if (error !== undefined) return [name, { kind: 'failed', error }]
        if (!this.topics.has(name) || this.hidden.has(name)) return [name, { kind: 'missing' }]
        return [name, { kind: 'found', topic: this.#metadata(name) }]
      }),
    )
  }

  async createTopics(topics: readonly NewTopic[]): Promise<ReadonlyMap<string, Outcome>> {
    this.#call(
      'createTopics',
      topics.map((topic) => topic.name),
    )
    return new Map(topics.map((topic) => [topic.name, this.#create(topic)]))
  }

  async growTopics(totals: ReadonlyMap<string, number>): Promise<ReadonlyMap<string, Outcome>> {
    this.#call('growTopics', [...totals.keys()])
    return new Map(
      [...totals].map(([name, total]) => {
        const error = this.#refusal('growTopics', name)
        if (error === undefined) this.grow(name, total)
        return [name, outcome(error)]
      }),
    )
  }

  async describeTopicConfigs(
    names: readonly string[],
  ): Promise<ReadonlyMap<string, Result<readonly TopicConfigEntry[]>>> {
    this.#call('describeTopicConfigs', names)
    return new Map(
      names.map((name): [string, Result<readonly TopicConfigEntry[]>] => {
        const error = this.#refusal('describeTopicConfigs', name)
        if (error !== undefined) return [name, { ok: false, error }]
        return [name, { ok: true, value: this.#configs(name) }]
      }),
    )
  }

  async alterTopicConfigs(
    changes: ReadonlyMap<string, readonly TopicConfigChange[]>,
  ): Promise<ReadonlyMap<string, Outcome>> {
    this.#call('alterTopicConfigs', [...changes.keys()])
    return new Map(
      [...changes].map(([name, list]): [string, Outcome] => {
        const error =
          this.#refusal('alterTopicConfigs', name) ??
          list.map((change) => this.#refusal('alterConfig', change.name)).find((e) => e !== undefined)
        if (error !== undefined) return [name, { ok: false, error }]
        for (const change of list) {
          if (change.kind === 'set') this.topics.get(name)?.configs.set(change.name, change.value)
          else this.topics.get(name)?.configs.delete(change.name)
        }
        return [name, outcome(undefined)]
      }),
    )
  }

  async describeAcls(): Promise<Result<readonly TopicAcl[]>> {
    this.#call('describeAcls')
    if (this.hidesAcls) throw transportError('timeout', 'no answer about ACLs', { cluster: this.alias })
    return { ok: true, value: this.acls.all }
  }
  async createAcls(acls: readonly TopicAcl[]): Promise<readonly Outcome[]> {
    this.#call('createAcls')
    for (const acl of acls) this.acls.create(acl)
    return acls.map(() => outcome(undefined))
  }
  async deleteAcls(acls: readonly TopicAcl[]): Promise<readonly Outcome[]> {
    this.#call('deleteAcls')
    for (const acl of acls) this.acls.delete(acl)
    return acls.map(() => outcome(undefined))
  }
  async describeCluster(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async listOffsets(): Promise<readonly OffsetAnswer[]> {
    throw new Error('not part of this fake')
  }
  async initProducerId(): Promise<ProducerIdentity> {
    throw new Error('not part of this fake')
  }
  async offsetsForLeaderEpochs(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async describeBrokerConfigs(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async addPartitionsToTransaction(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async endTransaction(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async writeTransactionMarkers(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async describeProducers(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async joinGroup(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async syncGroup(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async heartbeatGroup(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async leaveGroup(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async listGroups(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async describeGroups(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async groupOffsets(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async commitGroupOffsets(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async deleteGroupOffsets(): Promise<never> {
    throw new Error('not part of this fake')
  }
  async openChannel(): Promise<BrokerChannel> {
    throw new Error('not part of this fake')
  }
  async close(): Promise<void> {}
  destroy(): void {}

  #call(method: string, names: readonly string[] = []): void {
    this.calls.push([method, ...names].join(' '))
    if (this.isDown) throw transportError('connection', 'nobody answers', { cluster: this.alias })
  }

  #refusal(method: string, name: string): KafkaError | undefined {
    const code = this.refusals.get(`${method}:${name}`)
    return code === undefined ? undefined : protocolError(code, { cluster: this.alias, topic: name })
  }

  #create(topic: NewTopic): Outcome {
    const refusal = this.#refusal('createTopics', topic.name)
    if (refusal !== undefined) return outcome(refusal)
    if (this.topics.has(topic.name)) return outcome(protocolError(codes.topicExists, { topic: topic.name }))
    this.add(topic.name, topic.partitions, { configs: Object.fromEntries(topic.configs) })
    return outcome(undefined)
  }

  #metadata(name: string): TopicMetadata {
    const topic = this.topics.get(name)
    if (topic === undefined) throw new Error(`no topic ${name}`)
    return {
      name,
      id: topic.id,
      internal: topic.internal,
      partitions: topic.leaders.map((leader, partition) => ({
        partition,
        leader: leader === undefined || this.leaderlessAnswers > 0 ? undefined : brokerId(leader),
        leaderEpoch: 0,
        replicas: [brokerId(1)],
      })),
    }
  }

  #configs(name: string): readonly TopicConfigEntry[] {
    const own = this.topics.get(name)?.configs ?? new Map()
    const names = new Set([...this.defaults.keys(), ...own.keys()])
    return [...names].map((config) => ({
      name: config,
      value: own.get(config) ?? this.defaults.get(config),
      source: own.has(config) ? 'topic' : 'default',
      readOnly: false,
      sensitive: false,
    }))
  }
}

function outcome(error: KafkaError | undefined): Outcome {
  return error === undefined ? { ok: true, value: undefined } : { ok: false, error }
}
