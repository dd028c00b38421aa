import { defaultBackoff } from '../clock/backoff.ts'
import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import { timeLimited } from '../flow/time-limit.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { KafkaError } from '../kafka/errors.ts'
import { LogWalks } from '../logs/log-walks.ts'
import { CopyRefiner } from '../offsets/copy-refiner.ts'
import type { MapTopicIds } from '../offsets/map-chunks.ts'
import type { CoarseSpan, OffsetMap, Translation } from '../offsets/offset-map.ts'
import { leftOutUnder } from '../provenance/left-out.ts'
import type { ForwardingRule } from '../provenance/origins.ts'
import { createProducerRegistry, type WritableRegistry } from '../provenance/producer-registry.ts'
import { createOrigins, type SourceOrigins } from '../provenance/source-origins.ts'
import { flowId } from '../topology/identifiers.ts'
import type { Flow } from '../topology/model.ts'
import { RefinedSpans } from './refined-spans.ts'
import type { CoarseWhy } from './translated-offset.ts'

/** After a failure the logs are left alone for so long, in milliseconds. */
const REST_MS = 30_000

export interface LookupRefinerOptions {
  readonly flow: Pick<Flow, 'id' | 'source' | 'target'>
  readonly source: Cluster
  readonly target: Cluster
  /** `causeway.<topology>.producers` and `.progress` */
  readonly topics: { readonly producers: string; readonly progress: string }
  /** `undefined`: the flow keeps names, and nobody has said more. */
  readonly rule: ForwardingRule | undefined
  /** How long one answer may take, in milliseconds. */
  readonly limitMs: number
  readonly clock: Clock
  readonly random: Random
}

/** A partition's map, as it was read. */
export interface RefinableMap {
  readonly topic: string
  readonly partition: number
  readonly targetTopic: string
  readonly map: OffsetMap
  readonly ids: MapTopicIds
}

export interface RefinedAnswer<Offset> {
  readonly translation: Translation<Offset>
  /** Why it is not exact. */
  readonly why?: CoarseWhy
  readonly because?: string
}

/** Asks both logs where a map knows the ends of a stretch only. One call at a time. */
export class LookupRefiner {
  readonly #options: LookupRefinerOptions
  readonly #walks: { readonly source: LogWalks; readonly target: LogWalks }
  readonly #registry: WritableRegistry
  readonly #origins: SourceOrigins | undefined
  readonly #refiner: CopyRefiner
  readonly #spans = new RefinedSpans()
  #rest:
    | { readonly untilMs: number; readonly why: CoarseWhy; readonly because: string | undefined }
    | undefined

  constructor(options: LookupRefinerOptions) {
    this.#options = options
    const { flow, source, target, topics, clock, random } = options
    const shared = { clock, random, backoff: defaultBackoff }
    const registered = {
      ...shared,
      topic: topics.producers,
      progressTopic: topics.progress,
      create: 'never',
      isVital: true,
    } as const
    // Where nobody has said which, both rules that keep names say the same, or it is not refined.
    const rule = options.rule ?? 'all-but-returned'
    const isLeftOut = leftOutUnder(rule, flow)
    this.#walks = {
      source: new LogWalks({ cluster: source, ...shared }),
      target: new LogWalks({ cluster: target, ...shared }),
    }
    this.#registry = createProducerRegistry({ ...registered, cluster: target, isVital: false })
    this.#origins = isLeftOut && createOrigins({ ...registered, cluster: source, isLeftOut, flow })
    this.#refiner = new CopyRefiner({
      flow: flow.id,
      walks: this.#walks,
      rule,
      origins: this.#origins,
      registry: this.#registry,
      writesAlone: false,
      partsMax: Number.POSITIVE_INFINITY,
    })
  }

  /**
   * @param ask the map for the position
   * @throws the signal's reason
   */
  async exact<Offset>(
    found: RefinableMap,
    ask: () => Translation<Offset>,
    signal: AbortSignal,
  ): Promise<RefinedAnswer<Offset>> {
    const { clock, limitMs } = this.#options
    const before = ask()
    if (before.kind !== 'between') return { translation: before }
    this.#spans.putBack(nameOf(found), found.map)
    const known = ask()
    if (known.kind !== 'between') return { translation: known }
    if (this.#rest !== undefined && clock.monotonicMs() < this.#rest.untilMs) {
      const { why, because } = this.#rest
      return { translation: known, why, ...(because !== undefined && { because }) }
    }
    try {
      const told = await timeLimited(limitMs, clock, signal, (inner) => this.#refine(found, ask, inner))
      const why = told === undefined ? 'out-of-time' : told.why
      const translation = ask()
      if (told === undefined && isSameSpan(translation, known.span)) this.#restFor('out-of-time')
      return translation.kind === 'between' && why !== undefined ? { translation, why } : { translation }
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof KafkaError)) throw error
      this.#restFor('unreadable', error.message)
      return { translation: ask(), why: 'unreadable', because: error.message }
    }
  }

  async close(): Promise<void> {
    await Promise.all([this.#walks.source.close(), this.#walks.target.close()])
    await Promise.all([this.#registry.close(), this.#origins?.close()])
  }

  /** Refines until the position is exact or nothing more is told. */
  async #refine<Offset>(
    found: RefinableMap,
    ask: () => Translation<Offset>,
    signal: AbortSignal,
  ): Promise<{ readonly why: CoarseWhy | undefined }> {
    if (!(await this.#isSameTopic(found, signal))) return { why: 're-created' }
    if (!(await this.#isRuleKnown(signal))) return { why: 'origins-unknown' }
    for (;;) {
      const translation = ask()
      if (translation.kind !== 'between') return { why: undefined }
      const { span } = translation
      const result = await this.#refiner.refine(found, span, signal)
      if (result.kind === 'outdated') return { why: undefined }
      if (result.kind === 'stays-coarse') return { why: result.reason }
      this.#spans.keep(nameOf(found), span, result.parts)
      if (result.reason !== 'not-reached') return { why: result.reason }
    }
  }

  async #isSameTopic({ topic, ids }: RefinableMap, signal: AbortSignal): Promise<boolean> {
    const lookup = (await this.#options.source.describeTopics([topic], signal)).get(topic)
    if (lookup?.kind === 'failed') throw lookup.error
    if (lookup?.kind !== 'found') return false
    const { id } = lookup.topic
    return id === undefined || ids.topicId === undefined || id === ids.topicId
  }

  /** Without being told, the rule is known as long as nobody but the flow back has written to the source. */
  async #isRuleKnown(signal: AbortSignal): Promise<boolean> {
    const origins = this.#origins
    const { rule, flow } = this.#options
    if (rule !== undefined || origins === undefined) return true
    await origins.refresh(signal)
    const back = flowId(flow.target, flow.source)
    return [...origins.writers.values()].every((writer) => writer.flow === back)
  }

  #restFor(why: CoarseWhy, because?: string): void {
    this.#rest = { untilMs: this.#options.clock.monotonicMs() + REST_MS, why, because }
  }
}

const nameOf = ({ topic, partition, ids }: RefinableMap): string =>
  `${topic}/${partition} ${ids.topicId} ${ids.targetTopicId}`

const isSameSpan = <Offset>(translation: Translation<Offset>, span: CoarseSpan): boolean =>
  translation.kind === 'between' &&
  translation.span.sourceFrom === span.sourceFrom &&
  translation.span.sourceTo === span.sourceTo
