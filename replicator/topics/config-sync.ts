import type { Cluster, Outcome, TopicConfigChange } from '../kafka/cluster.ts'
import type { KafkaError } from '../kafka/errors.ts'
import type { Flow } from '../topology/model.ts'
import { chunksOf } from './chunks.ts'
import type { TopicEventBody } from './events.ts'
import { type ConfigRules, configsUnknownToTarget, planConfigChanges } from './plan-configs.ts'
import { type RefusedAction, refusalOf } from './refusals.ts'
import type { TopicPair } from './topic-pair.ts'

export interface ConfigSyncContext {
  readonly flow: Pick<Flow, 'source' | 'target'>
  readonly source: Cluster
  readonly target: Cluster
  readonly configRules: ConfigRules
  announce(event: TopicEventBody): void
}

/** Makes the configs of target topics follow their sources. Tells a standing refusal once, not in every pass. */
export class ConfigFollower {
  readonly #context: ConfigSyncContext
  /** By target topic: what was told last. */
  readonly #toldRefusals = new Map<string, string>()
  readonly #toldUnknown = new Map<string, string>()

  constructor(context: ConfigSyncContext) {
    this.#context = context
  }

  /**
   * One pass over all pairs.
   * @throws KafkaError when a cluster does not answer at all; passes may be repeated any time.
   */
  async pass(pairs: readonly TopicPair[], signal: AbortSignal): Promise<void> {
    for (const chunk of chunksOf(pairs)) await this.#follow(chunk, signal)
  }

  async #follow(pairs: readonly TopicPair[], signal: AbortSignal): Promise<void> {
    const { flow, source, target, configRules } = this.#context
    const [sources, targets] = await Promise.all([
      source.describeTopicConfigs(
        pairs.map((pair) => pair.source.name),
        signal,
      ),
      target.describeTopicConfigs(
        pairs.map((pair) => pair.target.name),
        signal,
      ),
    ])
    const changes = new Map<string, readonly TopicConfigChange[]>()
    const refused = new Map<string, RefusedAction & { readonly error: KafkaError }>()
    for (const pair of pairs) {
      const wanted = sources.get(pair.source.name)
      const current = targets.get(pair.target.name)
      if (wanted === undefined || current === undefined) continue
      const action = 'describe-configs'
      if (!wanted.ok) {
        refused.set(pair.target.name, {
          error: wanted.error,
          action,
          topic: pair.source.name,
          cluster: flow.source,
        })
      } else if (!current.ok) {
        refused.set(pair.target.name, {
          error: current.error,
          action,
          topic: pair.target.name,
          cluster: flow.target,
        })
      } else {
        this.#tellUnknown(pair, configsUnknownToTarget(wanted.value, current.value, configRules))
        const planned = planConfigChanges(wanted.value, current.value, configRules)
        if (planned.length > 0) changes.set(pair.target.name, planned)
      }
    }
    const outcomes = await this.#alter(changes, signal)
    for (const [topic, error] of outcomes.refused) {
      refused.set(topic, { error, action: 'alter-configs', topic, cluster: flow.target })
    }
    for (const pair of pairs)
      this.#tell(pair, outcomes.made.get(pair.target.name), refused.get(pair.target.name))
  }

  /** A broker takes all changes of a topic or none, so after a refused config the others are tried one by one. */
  async #alter(wanted: ReadonlyMap<string, readonly TopicConfigChange[]>, signal: AbortSignal) {
    const made = new Map<string, readonly TopicConfigChange[]>()
    const refused = new Map<string, KafkaError>()
    if (wanted.size === 0) return { made, refused }
    const outcomes = await this.#context.target.alterTopicConfigs(wanted, signal)
    for (const [topic, changes] of wanted) {
      const outcome = outcomes.get(topic)
      if (outcome === undefined) continue
      if (outcome.ok) {
        made.set(topic, changes)
        continue
      }
      refused.set(topic, outcome.error)
      if (outcome.error.kind !== 'INVALID_CONFIG' || changes.length < 2) continue
      const done: TopicConfigChange[] = []
      for (const change of changes) {
        const single = await this.#alterOne(topic, change, signal)
        if (single?.ok) done.push(change)
        else if (single !== undefined) refused.set(topic, single.error)
      }
      if (done.length > 0) made.set(topic, done)
    }
    return { made, refused }
  }

  async #alterOne(
    topic: string,
    change: TopicConfigChange,
    signal: AbortSignal,
  ): Promise<Outcome | undefined> {
    const outcomes = await this.#context.target.alterTopicConfigs(new Map([[topic, [change]]]), signal)
    return outcomes.get(topic)
  }

  #tell(
    pair: TopicPair,
    made: readonly TopicConfigChange[] | undefined,
    refused: (RefusedAction & { readonly error: KafkaError }) | undefined,
  ): void {
    const place = { topic: pair.source.name, targetTopic: pair.target.name }
    if (made !== undefined) this.#context.announce({ kind: 'configs-changed', ...place, changes: made })
    if (refused === undefined) {
      this.#toldRefusals.delete(pair.target.name)
      return
    }
    const refusal = refusalOf(refused.error, refused)
    if (this.#toldRefusals.get(pair.target.name) === refusal.reason) return
    this.#toldRefusals.set(pair.target.name, refusal.reason)
    this.#context.announce({ kind: 'configs-refused', ...place, ...refusal })
  }

  #tellUnknown(pair: TopicPair, names: readonly string[]): void {
    const key = names.join(',')
    if ((this.#toldUnknown.get(pair.target.name) ?? '') === key) return
    this.#toldUnknown.set(pair.target.name, key)
    if (names.length === 0) return
    const place = { topic: pair.source.name, targetTopic: pair.target.name }
    this.#context.announce({ kind: 'configs-unknown', ...place, names })
  }
}
