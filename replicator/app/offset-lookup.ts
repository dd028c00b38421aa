import { systemRandom } from '../clock/random.ts'
import { systemClock } from '../clock/system-clock.ts'
import { createKafkaCluster } from '../kafka/kafka-cluster.ts'
import { flowId, regionAlias } from '../topology/identifiers.ts'
import { clientId, internalTopics } from '../topology/internal-names.ts'
import type { RegionAlias } from '../topology/model.ts'
import { affixes } from '../topology/naming.ts'
import type { LookupConnection, OffsetLookup, OffsetLookupOptions } from './lookup-options.ts'
import { LookupRefiner } from './lookup-refiner.ts'
import { offsetLookupOf } from './map-lookup.ts'

export { KafkaError } from '../kafka/errors.ts'
export { Secret } from '../kafka/secret.ts'
export type { ConnectionSettings, SaslSettings, TlsSettings } from '../kafka/settings.ts'
export { MapFormatError } from '../offsets/map-format-error.ts'
export type { ForwardingRule } from '../provenance/origins.ts'
export type { Naming } from '../topology/model.ts'
export type {
  LookupConnection,
  LookupRequestOptions,
  OffsetLookup,
  OffsetLookupOptions,
} from './lookup-options.ts'
export type { CoarseWhy, KnownPair, NoMapReason, TranslatedOffset, Whereabouts } from './translated-offset.ts'

const REFRESH_DEFAULT_MS = 1000
const REFINE_DEFAULT_MS = 5000
const BYTES_DEFAULT = 64 * 1024 * 1024

/**
 * Looks offsets up in the maps that a flow keeps on its target. Needs READ for `causeway.<topology>.map` there, and
 * DESCRIBE for the copies. With a `source`: READ for the topics on both sides, for `causeway.<topology>.producers` on
 * the target and, where names are kept, for that and `causeway.<topology>.progress` on the source. Connects on first
 * use.
 *
 *     const lookup = createOffsetLookup({
 *       topology: 'payments',
 *       flow: { source: 'us-east', target: 'eu-west' },
 *       target: { bootstrap: ['eu-west.example:9092'] },
 *     })
 *     const answer = await lookup.translate('payments', 0, 4198n)
 *     if (answer.kind === 'exact') consumer.seek({ topic: answer.topic, partition: 0, offset: `${answer.offset}` })
 *
 * @throws RangeError when a name cannot be that of a region
 */
export function createOffsetLookup(options: OffsetLookupOptions): OffsetLookup {
  const { topology, flow, refreshMs = REFRESH_DEFAULT_MS, bytesMax = BYTES_DEFAULT } = options
  const { refineMs: limitMs = REFINE_DEFAULT_MS } = options
  const [sourceAlias, targetAlias] = [regionAlias(flow.source), regionAlias(flow.target)]
  const seams = { clock: systemClock, random: systemRandom }
  const connect = (alias: RegionAlias, settings: LookupConnection, patience: { patienceMs?: number }) =>
    createKafkaCluster({
      alias,
      settings: { clientId: clientId({ name: topology }), ...settings },
      ...seams,
      ...patience,
    })
  const target = connect(targetAlias, options.target, {})
  // So that it is told who does not answer, before the time is over.
  const patienceMs = Math.ceil(limitMs / 2)
  const source = options.source && connect(sourceAlias, options.source, { patienceMs })
  const id = flowId(sourceAlias, targetAlias)
  const naming = flow.naming ?? { kind: 'identity' }
  const topics = internalTopics({ name: topology })
  return offsetLookupOf({
    ...seams,
    cluster: target,
    mapTopic: topics.map,
    flow: id,
    affixes: affixes(naming, sourceAlias, targetAlias),
    refreshMs,
    bytesMax,
    source,
    refiner:
      source &&
      new LookupRefiner({
        ...seams,
        flow: { id, source: sourceAlias, target: targetAlias },
        source,
        target,
        topics,
        rule: naming.kind === 'identity' ? flow.forwards : 'everything',
        limitMs,
      }),
  })
}
