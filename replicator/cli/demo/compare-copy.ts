import type { Clock } from '../../clock/clock.ts'
import type { Random } from '../../clock/random.ts'
import { createKafkaCluster } from '../../kafka/kafka-cluster.ts'
import { regionAlias } from '../../topology/identifiers.ts'
import { type CompareProgress, compareTopics } from '../../verify/compare-topics.ts'
import type { VerifyReport } from '../../verify/report.ts'
import type { CopiedTopic } from './judge.ts'

/** One side of a comparison. */
export interface ComparedRegion {
  readonly alias: string
  readonly bootstrap: readonly string[]
}

export interface CompareCopyOptions {
  readonly source: ComparedRegion
  readonly target: ComparedRegion
  readonly topics: readonly CopiedTopic[]
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
  readonly onProgress?: (progress: CompareProgress) => void
}

/**
 * Compares topics that were copied under their own names, record by record.
 * @throws KafkaError when a cluster does not answer; the signal's reason
 */
export async function compareCopy(options: CompareCopyOptions): Promise<VerifyReport> {
  const { topics, clock, random, signal, onProgress } = options
  const connect = ({ alias, bootstrap }: ComparedRegion) =>
    createKafkaCluster({
      alias: regionAlias(alias),
      settings: { bootstrap, clientId: 'causeway-demo-compare' },
      clock,
      random,
    })
  const source = connect(options.source)
  const target = connect(options.target)
  try {
    const pairs = topics.map(({ name, partitions }) => ({
      sourceTopic: name,
      targetTopic: name,
      partitions: Array.from({ length: partitions }, (_, partition) => partition),
    }))
    const progress = onProgress === undefined ? {} : { onProgress }
    return await compareTopics({ source, target, pairs, clock, random, signal, ...progress })
  } finally {
    await Promise.all([source.close(), target.close()])
  }
}
