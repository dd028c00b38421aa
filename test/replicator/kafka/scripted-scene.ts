import { Writer } from '@platformatic/kafka'
import type { Cluster } from '../../../replicator/kafka/cluster.ts'
import { createKafkaCluster, type KafkaClusterOptions } from '../../../replicator/kafka/kafka-cluster.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import { HastyClock, type ScriptedAnswer, ScriptedBroker, type ScriptedRequest } from './scripted-broker.ts'

/** What is said to each kind of request; what is left out gets the scene's usual answer. */
export type Script<Name extends string> = Partial<
  Record<Name, (request: ScriptedRequest, broker: ScriptedBroker) => ScriptedAnswer>
>

/** Scripted brokers, and clusters that are connected to them, of one test. */
export class ScriptedScene<Name extends string> {
  readonly #keys: Readonly<Record<Name, number>>
  readonly #usual: Script<Name>
  readonly #cleanUps: (() => unknown)[] = []

  /**
   * @param keys the api key of each kind of request that scripts name
   * @param usual what brokers say to what a test's script leaves out; without that they hang up
   */
  constructor(keys: Readonly<Record<Name, number>>, usual: Script<Name>) {
    this.#keys = keys
    this.#usual = usual
  }

  async startBroker(script: Script<Name>): Promise<ScriptedBroker> {
    const names = Object.keys(this.#keys) as Name[]
    const broker = await ScriptedBroker.start((request) => {
      const name = names.find((each) => this.#keys[each] === request.key)
      const answer = name === undefined ? undefined : (script[name] ?? this.#usual[name])
      return answer?.(request, broker) ?? 'hang up'
    })
    this.#cleanUps.push(() => broker.stop())
    return broker
  }

  connect(port: number, options: Partial<KafkaClusterOptions> = {}): Cluster & { clock: HastyClock } {
    const clock = new HastyClock()
    const cluster = createKafkaCluster({
      alias: regionAlias('us-east'),
      settings: { bootstrap: [`127.0.0.1:${port}`], clientId: 'test' },
      clock,
      random: { next: () => 0.5 },
      ...options,
    })
    this.#cleanUps.push(() => cluster.destroy())
    return Object.assign(cluster, { clock })
  }

  /** Ends what was started, the last first; the scene may be used again. */
  async end(): Promise<void> {
    for (const cleanUp of this.#cleanUps.splice(0).reverse()) await cleanUp()
  }
}

/** Answers with each in turn, and then with the last again and again. */
export function inTurn(...answers: readonly (() => ScriptedAnswer)[]): () => ScriptedAnswer {
  let next = 0
  return () => (answers[Math.min(next++, answers.length - 1)] as () => ScriptedAnswer)()
}

/** FindCoordinator 6, about one group or transactional id. */
export function coordinatorAnswer(of: string, port: number, code = 0): Writer {
  return Writer.create()
    .appendInt32(0)
    .appendArray([of], (writer, key) => {
      writer.appendString(key).appendInt32(1).appendString('127.0.0.1').appendInt32(port)
      writer.appendInt16(code).appendString(null)
    })
    .appendTaggedFields()
}
