import type { CopiedPartition } from '../../../replicator/flow/shard-companion.ts'
import type { Flow } from '../../../replicator/topology/model.ts'
import { SeededRandom } from '../seeded-random.ts'
import type { SimulatedBrokers } from '../simulated-brokers.ts'
import type { CopyChecker, Strictness } from './copy-checker.ts'
import { GroupWatch } from './group-watch.ts'
import { MapWatch } from './map-watch.ts'
import type { Plan, Side } from './plan.ts'
import { ownTopics, targetPrefix } from './simulated-flow.ts'
import type { OtherReaders, TargetWatch } from './target-watch.ts'
import type { Trace } from './trace.ts'

export interface PartScene {
  readonly plan: Plan
  readonly strictness: Strictness
  readonly flow: Flow
  readonly brokers: Readonly<Record<Side, SimulatedBrokers>>
  readonly trace: Trace
  readonly watch: () => TargetWatch
  /** Whether the source topic is another one than the one that was copied. */
  readonly isRecreated: (topic: string) => boolean
  /** What every process that still runs, or is stopped, says that it copies. */
  readonly running: () => readonly CopiedPartition[]
}

/** What is judged beside the copies: offset maps and groups, as far as the plan's flow has them. */
export class PartWatches {
  readonly maps: MapWatch | undefined
  readonly groups: GroupWatch | undefined
  readonly #scene: PartScene

  constructor(scene: PartScene) {
    this.#scene = scene
    const { maps, groups } = scene.plan.setup
    // Of copies that repeat themselves nobody can say where their records are.
    const canTell = scene.strictness === 'exactly-once'
    this.maps = maps && canTell ? this.#mapWatch() : undefined
    this.groups = groups > 0 && canTell ? this.#groupWatch() : undefined
  }

  /** Who reads the topics in which the parts keep what they know. */
  get readers(): OtherReaders {
    const { maps, groups } = this
    return new Map([
      ...(maps === undefined ? [] : [[ownTopics.map, maps.saw.bind(maps)] as const]),
      ...(groups === undefined ? [] : [[ownTopics.groups, groups.saw.bind(groups)] as const]),
    ])
  }

  /** @throws Violation */
  look(): void {
    this.maps?.look()
    if (this.groups?.violation !== undefined) throw this.groups.violation
  }

  /** What no map tells although it was copied, or a group that does not stand right yet. @throws Violation */
  unfinished(isExpected: (place: string) => boolean): string | undefined {
    const copies = this.#scene.watch().copies.values()
    return this.maps?.unfinished(isExpected, copies) ?? this.groups?.unfinished(isExpected)
  }

  /** Reads everything that is written of maps once more, as it is by now. @throws Violation */
  judgeWritten(): void {
    const { brokers } = this.#scene
    const partitions = brokers.target.topics.byName(ownTopics.map)?.partitions ?? []
    this.maps?.judgeAllWritten(
      partitions.map(({ log }, index) => ({ name: `${ownTopics.map}/${index}`, batches: log.batches })),
    )
  }

  #mapWatch(): MapWatch {
    const { flow, plan, brokers, isRecreated, running } = this.#scene
    return new MapWatch({
      flow: flow.id,
      random: new SeededRandom(plan.seed * 104_729),
      copyOf: (topic, partition) => this.#copyOf(topic, partition),
      idsOf: (topic) => ({
        topicId: brokers.source.topics.byName(topic)?.id,
        targetTopicId: brokers.target.topics.byName(`${targetPrefix}${topic}`)?.id,
      }),
      isRecreated,
      running,
    })
  }

  #groupWatch(): GroupWatch {
    const { brokers, trace, watch, running } = this.#scene
    const startOf = ({ topic, partition, map }: CopiedPartition): readonly [string, bigint][] =>
      map === undefined ? [] : [[`${topic}/${partition}`, map.start.source]]
    return new GroupWatch({
      brokers,
      targetPrefix,
      copyOf: (topic, partition) => this.#copyOf(topic, partition),
      look: () => watch().look(),
      trace,
      mapStarts: () => new Map(running().flatMap(startOf)),
    })
  }

  #copyOf(topic: string, partition: number): CopyChecker {
    return this.#scene.watch().copyOf(topic, partition)
  }
}
