import { createOffsetLookup } from '../../../replicator/app/offset-lookup.ts'
import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import { systemRandom } from '../../../replicator/clock/random.ts'
import { systemClock } from '../../../replicator/clock/system-clock.ts'
import type { Cluster } from '../../../replicator/kafka/cluster.ts'
import { TopicLog } from '../../../replicator/kafka/topic-log.ts'
import { planChunks } from '../../../replicator/offsets/map-chunks.ts'
import { OffsetMap } from '../../../replicator/offsets/offset-map.ts'
import { createProducerRegistry } from '../../../replicator/provenance/producer-registry.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import { internalTopics } from '../../../replicator/topology/internal-names.ts'

const seams = { clock: systemClock, random: systemRandom, backoff: defaultBackoff }
const flow = flowId(regionAlias('us-east'), regionAlias('eu-west'))
const topology = 'measured'

/** Where look-ups find the map. */
export const mapTopic = internalTopics({ name: topology }).map

/** Says that the flow writes with this id. */
export async function registerProducer(
  cluster: Cluster,
  producerId: bigint,
  signal: AbortSignal,
): Promise<void> {
  const { producers: topic, progress: progressTopic } = internalTopics({ name: topology })
  const create = { replicationFactor: 1 }
  const registry = createProducerRegistry({
    ...seams,
    cluster,
    topic,
    progressTopic,
    create,
    isVital: false,
  })
  await registry.register({ producerId, flow, shard: 0, progressTopicId: undefined }, signal)
  await registry.close()
}

export interface LookupBench {
  readonly cluster: Cluster
  readonly bootstrap: readonly string[]
  /** The source's, and the target's. */
  readonly topics: readonly [string, string]
  /** Of the coarse span, from offset 1 on. */
  readonly count: number
  readonly rounds: number
}

/** Looks a position in the middle of a coarse span up, each time with a look-up that has answered another before. */
export async function timeLookups({ cluster, bootstrap, topics, count, rounds }: LookupBench) {
  const signal = AbortSignal.timeout(60_000)
  const [topic, copy] = topics
  const found = await cluster.describeTopics([topic, copy], signal)
  const idOf = (name: string) => {
    const lookup = found.get(name)
    return lookup?.kind === 'found' ? lookup.topic.id : undefined
  }
  const map = new OffsetMap({ source: sourceOffset(0n), target: targetOffset(0n) })
  map.append({ source: sourceOffset(0n), target: targetOffset(0n), count: 1 })
  const [from, to] = [1n, 1n + BigInt(count)]
  map.appendCoarse({
    sourceFrom: sourceOffset(from),
    sourceTo: sourceOffset(to),
    targetFrom: targetOffset(from),
    targetTo: targetOffset(to),
  })
  const ids = { topicId: idOf(topic), targetTopicId: idOf(copy) }
  const { records } = planChunks(new Map(), map, { key: { flow, topic, partition: 0 }, ids })
  const log = new TopicLog({ ...seams, cluster, topic: mapTopic })
  await log.append(
    0,
    records.map((record) => ({ ...record, headers: [], timestamp: 0n })),
    signal,
  )
  await log.close()
  const times: number[] = []
  let told = ''
  for (let round = 0; round < rounds; round++) {
    const lookup = createOffsetLookup({
      topology,
      flow: { source: 'us-east', target: 'eu-west', naming: { kind: 'prefixed', separator: '.' } },
      target: { bootstrap },
      source: { bootstrap },
      refreshMs: 60_000,
    })
    await lookup.translate(topic, 0, 1n, { signal })
    const start = performance.now()
    const answer = await lookup.translate(topic, 0, from + BigInt(count) / 2n, { signal })
    times.push(performance.now() - start)
    told = answer.kind
    await lookup.close()
  }
  return `${summary(times)} (${told})`
}

export function summary(times: readonly number[]): string {
  const sorted = times.toSorted((one, other) => one - other)
  const ms = (at: number) => `${sorted[at]?.toFixed(1)} ms`
  return `first ${times[0]?.toFixed(1)} ms, median ${ms(Math.floor(times.length / 2))}, slowest ${ms(times.length - 1)}`
}
