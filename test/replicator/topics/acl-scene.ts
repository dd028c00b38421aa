import assert from 'node:assert/strict'
import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import type { TopicAcl } from '../../../replicator/kafka/acl-binding.ts'
import { createAclMemory } from '../../../replicator/topics/acl-memory.ts'
import { AclFollower, type AclSyncContext } from '../../../replicator/topics/acl-sync.ts'
import { aclWords } from '../../../replicator/topics/acl-words.ts'
import type { TopicEventBody } from '../../../replicator/topics/events.ts'
import type { TopicPair } from '../../../replicator/topics/topic-pair.ts'
import { topicRules } from '../../../replicator/topics/topic-rules.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import type { DecideFault, Fault, RequestKind } from '../../simulation/faults.ts'
import { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { buildBatch, recordsOf } from '../../simulation/record-batches.ts'
import { SeededRandom } from '../../simulation/seeded-random.ts'
import { SimulatedBrokers } from '../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../simulation/simulated-clock.ts'

const ends = { source: regionAlias('us-east'), target: regionAlias('eu-west') }
const flow = flowId(ends.source, ends.target)
const signal = new AbortController().signal
export const memoryTopic = 'causeway.test.acls'

export function acl(words: Partial<TopicAcl> = {}): TopicAcl {
  return {
    resource: 'orders',
    pattern: 'literal',
    principal: 'User:alice',
    host: '*',
    operation: 'READ',
    permission: 'ALLOW',
    ...words,
  }
}

/** As the flow's naming calls the copies. */
export const copy = (words: Partial<TopicAcl> = {}): TopicAcl => {
  const one = acl(words)
  return { ...one, resource: `us-east.${one.resource}` }
}

/** Two simulated clusters with rules, and a flow that follows them in a process that may be started again. */
export function aclScene() {
  const clock = new SimulatedClock()
  const source = new SimulatedBrokers({ clock })
  const target = new SimulatedBrokers({ clock, seed: 2 })
  const events: TopicEventBody[] = []
  /** What goes wrong with the next requests to the target, by kind; each once. */
  const faults = new Map<RequestKind, Fault>()
  const onRequest: { listener: (kind: RequestKind) => void } = { listener: () => {} }
  const decide: DecideFault = ({ kind, cluster }) => {
    if (cluster !== ends.target) return undefined
    onRequest.listener(kind)
    const fault = faults.get(kind)
    faults.delete(kind)
    return fault
  }
  const connect = (brokers: SimulatedBrokers, alias: keyof typeof ends) =>
    new MemoryCluster(brokers, { alias: ends[alias], faults: decide })
  const memory = (of = flow) =>
    createAclMemory({
      cluster: connect(target, 'target'),
      topic: memoryTopic,
      flow: of,
      replicationFactor: 1,
      clock,
      random: new SeededRandom(1),
      backoff: defaultBackoff,
    })
  const started = (more: Partial<AclSyncContext> = {}) => {
    const follower = new AclFollower({
      flow: ends,
      mode: 'sync',
      names: {
        topic: (topic) => `us-east.${topic}`,
        prefix: (prefix) => `us-east.${prefix}`,
      },
      role: 'passive',
      principals: { kind: 'known', names: new Set(['User:replicator']) },
      memory: memory(),
      isOurTurn: () => true,
      rules: topicRules(
        {
          ...ends,
          topics: [{ kind: 'match', match: '.*' }],
          paused: [],
          naming: { kind: 'prefixed', separator: '.' },
        },
        Object.values(ends),
      ),
      source: connect(source, 'source'),
      target: connect(target, 'target'),
      announce: (event) => events.push(event),
      ...more,
    })
    const pairs = ['orders', 'payments'].map((name) => ({ source: { name } }) as TopicPair)
    return { pass: () => clock.run(follower.pass(pairs, signal), 600_000) }
  }
  return {
    clock,
    source,
    target,
    events,
    faults,
    onRequest,
    memory,
    started,
    signal,
    remembered: async () => {
      const own = await clock.run(memory().read(signal), 600_000)
      return own.map((one) => aclWords(one.acl)).sort()
    },
    onTarget: () => target.acls.all.map(aclWords).sort(),
    kinds: () => events.map(({ kind }) => kind),
    /** Adds a record to the memory that the product would not write. */
    append(key: string, value: string) {
      const where = { topic: memoryTopic, partition: 0 }
      const batch = buildBatch(recordsOf([[key, value]], clock.wallMs()))
      assert(target.produce(target.partition(where).leader!, [{ ...where, batch }])[0]?.ok)
    },
  }
}
