import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { defaultBackoff } from '../../replicator/clock/backoff.ts'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { FlowEvent } from '../../replicator/flow/events.ts'
import { type RunningFlow, startFlow } from '../../replicator/flow/flow.ts'
import { defaultFlowLimits, type FlowLimits } from '../../replicator/flow/flow-limits.ts'
import type { FlowOptions } from '../../replicator/flow/flow-options.ts'
import type { Cluster } from '../../replicator/kafka/cluster.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import type { ConnectionSettings } from '../../replicator/kafka/settings.ts'
import { everyShard } from '../../replicator/shards/shard-claims.ts'
import { topicRules } from '../../replicator/topics/topic-rules.ts'
import { flowId, regionAlias } from '../../replicator/topology/identifiers.ts'
import type { Flow } from '../../replicator/topology/model.ts'
import { compareTopics } from '../../replicator/verify/compare-topics.ts'
import { formatVerdict } from '../../replicator/verify/format-verdict.ts'
import type { VerifyReport } from '../../replicator/verify/report.ts'

const usEast = regionAlias('us-east')
const euWest = regionAlias('eu-west')

/** The address of a cluster that the test runner started. */
export function testBrokers(variable: 'CAUSEWAY_TEST_SOURCE' | 'CAUSEWAY_TEST_TARGET'): readonly string[] {
  const bootstrap = process.env[variable]
  if (!bootstrap) throw new Error(`${variable} is not set: run these tests with npm test`)
  return bootstrap.split(',')
}

export type Connection = Pick<ConnectionSettings, 'bootstrap' | 'sasl' | 'tls'>

export interface PairOptions {
  readonly source: Connection
  readonly target: Connection
  readonly topics: Flow['topics']
  readonly flow?: Partial<Flow>
  readonly acceptsGap?: FlowOptions['acceptsGap']
  readonly limits?: Partial<FlowLimits>
  /** Stands between the flow and a cluster, to watch or to change what passes. */
  readonly between?: (side: 'source' | 'target', cluster: Cluster) => Cluster
}

/** A flow between two real clusters, with clients of its own to look at both. */
export class FlowPair {
  readonly source: Cluster
  readonly target: Cluster
  readonly events: FlowEvent[] = []
  readonly flow: Flow
  readonly #options: PairOptions
  readonly #progressTopic = `causeway.test-${randomUUID().slice(0, 8)}.progress`
  readonly #clients: Cluster[] = []

  constructor(options: PairOptions) {
    this.#options = options
    this.flow = {
      id: flowId(usEast, euWest),
      source: usEast,
      target: euWest,
      topics: options.topics,
      paused: [],
      groups: [],
      naming: { kind: 'prefixed', separator: '.' },
      placement: 'target',
      replicationFactor: 1,
      configSync: { mode: 'off', exclude: [], defaultsFrom: 'target' },
      aclSync: { mode: 'off', principals: [] },
      startAt: 'earliest',
      shards: 2,
      ...options.flow,
    }
    this.source = this.#connect('source')
    this.target = this.#connect('target')
  }

  #connect(side: 'source' | 'target'): Cluster {
    const cluster = createKafkaCluster({
      alias: side === 'source' ? usEast : euWest,
      settings: { clientId: 'causeway-test', ...this.#options[side] },
      clock: systemClock,
      random: systemRandom,
    })
    this.#clients.push(cluster)
    return cluster
  }

  start(): RunningFlow {
    const { between = (_side, cluster) => cluster, limits } = this.#options
    const running = startFlow({
      flow: this.flow,
      progressTopic: this.#progressTopic,
      transactionalIdOf: (shard) => `${this.#progressTopic}.${shard}`,
      claims: everyShard(this.flow.shards),
      registry: undefined,
      origins: undefined,
      rule: 'everything',
      source: between('source', this.#connect('source')),
      target: between('target', this.#connect('target')),
      rules: topicRules(this.flow, [usEast, euWest]),
      clock: systemClock,
      random: systemRandom,
      backoff: defaultBackoff,
      limits: { ...defaultFlowLimits, ...limits },
      announce: (event) => this.events.push(event),
      discoveryIntervalMs: 500,
      acceptsGap: this.#options.acceptsGap ?? (() => false),
    })
    running.ended.catch(() => {})
    return running
  }

  /** Compares whole topics, key, value, headers, time and order. */
  async compare(topics: readonly string[]): Promise<VerifyReport> {
    const rules = topicRules(this.flow, [usEast, euWest])
    const found = await this.source.describeTopics(topics)
    const pairs = topics.map((topic) => {
      const lookup = found.get(topic)
      assert(lookup?.kind === 'found', `${topic} is on the source`)
      const partitions = lookup.topic.partitions.map(({ partition }) => partition)
      return { sourceTopic: topic, targetTopic: rules.targetNameOf(topic), partitions }
    })
    const { source, target } = this
    const signal = AbortSignal.timeout(60_000)
    return compareTopics({ source, target, pairs, clock: systemClock, random: systemRandom, signal })
  }

  /** Waits until nothing of these topics is missing, then gives the comparison. */
  async caughtUp(topics: readonly string[], timeoutMs = 40_000): Promise<VerifyReport> {
    const deadlineMs = systemClock.monotonicMs() + timeoutMs
    for (;;) {
      const report = await this.compare(topics).catch((error: unknown) => String(error))
      const isWhole =
        typeof report !== 'string' &&
        report.partitions.every(
          ({ verdict, differences }) => verdict !== 'unreadable' && differences.missing === 0,
        )
      if (typeof report !== 'string' && isWhole) return report
      if (systemClock.monotonicMs() > deadlineMs) {
        const told = this.events.map((event) =>
          JSON.stringify(event, (_, value) => (typeof value === 'bigint' ? `${value}` : value)),
        )
        assert.fail(
          `not caught up: ${typeof report === 'string' ? report : formatVerdict(report)}\n${told.slice(-20).join('\n')}`,
        )
      }
      await systemClock.sleep(200)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.close()))
  }
}

/** Waits for a condition. @throws AssertionError after the time */
export async function until(
  what: string,
  isSo: () => boolean | Promise<boolean>,
  timeoutMs = 20_000,
): Promise<void> {
  const deadlineMs = systemClock.monotonicMs() + timeoutMs
  while (!(await isSo())) {
    assert(systemClock.monotonicMs() < deadlineMs, `${what}: still not so after ${timeoutMs} ms`)
    await systemClock.sleep(50)
  }
}
