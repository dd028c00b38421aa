import type { Findings } from '../../../../replicator/cli/demo/judge.ts'
import type { PartitionVerdict } from '../../../../replicator/verify/report.ts'

/** A partition of `orders` that both readers found equal on both sides. */
export function equalPartition(partition: number, records: number): PartitionVerdict {
  const side = { records, digest: 'd' }
  return {
    sourceTopic: 'orders',
    targetTopic: 'orders',
    partition,
    verdict: 'identical',
    source: side,
    target: side,
    differences: { missing: 0, extra: 0, duplicated: 0, reordered: 0, altered: 0 },
  }
}

/** Findings about these partitions of `orders`; kafkajs agrees with the comparison's counts. */
export function findingsOf(partitions: readonly PartitionVerdict[]): Findings {
  const sum = (side: 'source' | 'target') =>
    partitions.reduce((total, partition) => total + partition[side].records, 0)
  const read = (side: 'source' | 'target') =>
    partitions.map((partition) => ({
      topic: 'orders',
      partition: partition.partition,
      records: partition[side].records,
      digest: `content ${partition[side].digest}`,
    }))
  return {
    report: {
      identical: partitions.every(({ verdict }) => verdict === 'identical'),
      source: 'us-east',
      target: 'eu-west',
      records: { source: sum('source'), target: sum('target') },
      partitions,
    },
    kafkajs: { source: read('source'), target: read('target') },
  }
}
