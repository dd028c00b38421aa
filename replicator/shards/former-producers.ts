import type { ProducerIdentity } from '../kafka/cluster.ts'
import type { FencePlace, FormerProducer } from './fencing.ts'
import type { ProgressEntry } from './progress-view.ts'

/**
 * The producers, by id and with their latest known epoch, that progress names for these places.
 * @param except ids that are fenced already
 * @param everywhere also those of other places, which may still write progress
 */
export function formerProducers(
  entries: readonly ProgressEntry[],
  places: readonly FencePlace[],
  except: ReadonlySet<bigint>,
  everywhere: boolean,
): readonly FormerProducer[] {
  const byName = new Map(places.map((place) => [`${place.key.topic}/${place.key.partition}`, place]))
  const found = new Map<bigint, { identity: ProducerIdentity; places: FencePlace[] }>()
  for (const { key, progress } of entries) {
    const { producerId, producerEpoch } = progress.producer
    const place = byName.get(`${key.topic}/${key.partition}`)
    if (except.has(producerId) || (place === undefined && !everywhere)) continue
    const known = found.get(producerId)
    found.set(producerId, {
      identity: {
        producerId,
        producerEpoch: Math.max(known?.identity.producerEpoch ?? 0, producerEpoch),
      },
      places: [...(known?.places ?? []), ...(place === undefined ? [] : [place])],
    })
  }
  return [...found.values()]
}
