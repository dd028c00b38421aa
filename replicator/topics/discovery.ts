import type { TopicLookup, TopicMetadata } from '../kafka/cluster.ts'
import type { RegionAlias } from '../topology/model.ts'
import { askInChunks } from './chunks.ts'
import { type CopiedTopics, isDecided } from './copied-ids.ts'
import type { TopicEventBody } from './events.ts'
import { matchTopics, selectTopics, type TopicMatch } from './match-topics.ts'
import { pairTopics } from './pair-topics.ts'
import { planTopics, type TopicPlan } from './plan-topics.ts'
import {
  acceptSource,
  acceptTarget,
  isOtherTopic,
  missedIn,
  rememberPairs,
  rememberSources,
  type SeenTopics,
} from './seen-topics.ts'
import { carryOut, type Refusals, type TargetTopicsContext, waitForLeaders } from './target-topics.ts'
import type { TopicPair, TopicProblem, TopicRules } from './topic-pair.ts'

export interface DiscoveryContext extends TargetTopicsContext {
  readonly rules: TopicRules
  /** Ids of the source topics from an earlier run, by name. */
  readonly knownIds: ReadonlyMap<string, string>
  /** Reads what the flow's memory says now; asked where a topic is not the one that was seen. */
  readonly readIds?: ((signal: AbortSignal) => Promise<CopiedTopics>) | undefined
}

export interface Findings {
  readonly pairs: readonly TopicPair[]
  readonly problems: readonly TopicProblem[]
}

/** Looks at both clusters, round by round, and remembers what it saw: see {@link SeenTopics}. */
export class Discovery {
  readonly #context: DiscoveryContext
  #seen: SeenTopics = new Map()
  #isFirstRound = true
  #asking: RegionAlias | undefined
  /** Ids of re-created source topics that go on by a person's decision, by name. */
  readonly #decidedIds = new Map<string, string>()
  #standing: ReadonlyMap<string, TopicProblem> = new Map()
  /** Target topics with too many partitions that were told, with the count told. */
  readonly #toldWider = new Map<string, number>()

  constructor(context: DiscoveryContext) {
    this.#context = context
  }

  /** The cluster whose answer the current look waits for, or waited for last. */
  get asking(): RegionAlias {
    return this.#asking ?? this.#context.flow.source
  }

  /**
   * One look. The source's topics are remembered even if the target then fails: what comes later than that is new.
   * @throws KafkaError when a cluster does not answer; the next round starts over.
   */
  async round(signal: AbortSignal): Promise<Findings> {
    const { flow, rules } = this.#context
    this.#asking = flow.source
    const { selected, lookups } = await this.#lookAtSource(signal)
    this.#rememberSource(selected, lookups)
    await this.#acceptSources(selected, signal)
    const knownIds = this.#knownIds
    const { matches, problems } = matchTopics({ flow, rules, selected, lookups, seen: this.#seen, knownIds })
    this.#asking = flow.target
    const listed = await this.#lookAtTarget(matches, signal)
    await this.#acceptTargets(matches, listed, signal)
    const plan = planTopics({ flow, matches, targets: listed, seen: this.#seen })
    const refusals = await carryOut(plan, this.#context, signal)
    const targets = await this.#targetsAfter(plan, listed, refusals, signal)
    const paired = pairTopics({ flow, matches, targets, blocked: plan.blocked, refusals, seen: this.#seen })
    this.#seen = rememberPairs(this.#seen, paired.pairs)
    this.#tellWider(plan)
    const findings = { pairs: paired.pairs, problems: [...problems, ...paired.problems] }
    this.#tellProblems(findings.problems)
    return findings
  }

  /** Listings may come from a broker that is behind, so absences that would matter are asked about once more. */
  async #lookAtSource(signal: AbortSignal): Promise<SourceView> {
    const { source, rules } = this.#context
    const listing = await source.listTopics(signal)
    const listed = new Set(listing.map((topic) => topic.name))
    const named = rules.selections.flatMap((rule) => (rule.kind === 'name' ? [rule.name] : []))
    const doubtful = [...new Set([...named, ...missedIn(listed, this.#seen)])].filter(
      (name) => !listed.has(name),
    )
    const lookups = await askInChunks(doubtful, (names) => source.describeTopics(names, signal))
    return { selected: selectTopics([...listing, ...foundAmong(lookups)], rules), lookups }
  }

  async #lookAtTarget(
    matches: readonly TopicMatch[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, TopicLookup>> {
    const { target } = this.#context
    const targets = new Map<string, TopicLookup>()
    for (const topic of await target.listTopics(signal)) targets.set(topic.name, { kind: 'found', topic })
    const doubtful = matches
      .filter((match) => !targets.has(match.targetName))
      .filter((match) => this.#wasPaired(match))
    const names = doubtful.map((match) => match.targetName)
    const lookups = await askInChunks(names, (chunk) => target.describeTopics(chunk, signal))
    for (const [name, lookup] of lookups) targets.set(name, lookup)
    return targets
  }

  get #knownIds(): ReadonlyMap<string, string> {
    const { knownIds } = this.#context
    return this.#decidedIds.size === 0 ? knownIds : new Map([...knownIds, ...this.#decidedIds])
  }

  async #acceptSources(selected: readonly TopicMetadata[], signal: AbortSignal): Promise<void> {
    const knownIds = this.#knownIds
    const others = selected.filter((topic) => {
      const known = this.#seen.get(topic.name)
      const earlierId = knownIds.get(topic.name)
      return (
        (known !== undefined && isOtherTopic(known, topic)) ||
        (earlierId !== undefined && topic.id !== undefined && earlierId !== topic.id)
      )
    })
    if (others.length === 0) return
    const copied = await this.#context.readIds?.(signal)
    for (const topic of others) {
      if (topic.id === undefined || !isDecided(copied?.get(topic.name), topic, 'sourceId')) continue
      this.#seen = acceptSource(this.#seen, topic)
      this.#decidedIds.set(topic.name, topic.id)
    }
  }

  async #acceptTargets(
    matches: readonly TopicMatch[],
    targets: ReadonlyMap<string, TopicLookup>,
    signal: AbortSignal,
  ): Promise<void> {
    const others = matches.flatMap(({ source, targetName }) => {
      const lookup = targets.get(targetName)
      const known = this.#seen.get(source.name)?.targetId
      if (lookup?.kind !== 'found' || known === undefined || lookup.topic.id === known) return []
      return [{ source, target: lookup.topic }]
    })
    if (others.length === 0) return
    const copied = await this.#context.readIds?.(signal)
    for (const { source, target } of others) {
      if (isDecided(copied?.get(source.name), target, 'targetId'))
        this.#seen = acceptTarget(this.#seen, source.name)
    }
  }

  #wasPaired(match: TopicMatch): boolean {
    return (this.#seen.get(match.source.name)?.reported.size ?? 0) > 0
  }

  async #targetsAfter(
    plan: TopicPlan,
    before: ReadonlyMap<string, TopicLookup>,
    refusals: Refusals,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, TopicMetadata>> {
    const touched = [...plan.creations, ...plan.growths.map(({ match }) => match)]
    const wanted = new Map<string, number>()
    for (const match of touched) {
      if (!refusals.has(match.targetName)) wanted.set(match.targetName, match.source.partitions.length)
    }
    const after = new Map(foundAmong(before).map((topic) => [topic.name, topic]))
    for (const [name, topic] of await waitForLeaders(wanted, this.#context, signal)) after.set(name, topic)
    return after
  }

  #rememberSource(selected: readonly TopicMetadata[], lookups: ReadonlyMap<string, TopicLookup>): void {
    const { rules, announce } = this.#context
    const names = new Set(selected.map(({ name }) => name))
    const gone = missedIn(names, this.#seen).filter((name) => lookups.get(name)?.kind !== 'failed')
    this.#seen = rememberSources(this.#seen, { selected, gone, isFirst: this.#isFirstRound })
    this.#isFirstRound = false
    for (const topic of gone) {
      announce({ kind: 'source-topic-gone', topic, targetTopic: rules.targetNameOf(topic) })
    }
  }

  #tellWider(plan: TopicPlan): void {
    for (const { match, targetPartitions } of plan.wider) {
      if (this.#toldWider.get(match.source.name) === targetPartitions) continue
      this.#toldWider.set(match.source.name, targetPartitions)
      const event: TopicEventBody = {
        kind: 'target-topic-wider',
        topic: match.source.name,
        targetTopic: match.targetName,
        sourcePartitions: match.source.partitions.length,
        targetPartitions,
      }
      this.#context.announce(event)
    }
  }

  #tellProblems(problems: readonly TopicProblem[]): void {
    const now = new Map(problems.map((problem) => [JSON.stringify(problem), problem]))
    const before = this.#standing
    this.#standing = now
    for (const [key, problem] of before) {
      if (!now.has(key)) this.#context.announce({ kind: 'problem-cleared', problem })
    }
    for (const [key, problem] of now) {
      if (!before.has(key)) this.#context.announce({ kind: 'problem-appeared', problem })
    }
  }
}

interface SourceView {
  readonly selected: readonly TopicMetadata[]
  readonly lookups: ReadonlyMap<string, TopicLookup>
}

function foundAmong(lookups: ReadonlyMap<string, TopicLookup>): readonly TopicMetadata[] {
  return [...lookups.values()].flatMap((lookup) => (lookup.kind === 'found' ? [lookup.topic] : []))
}
