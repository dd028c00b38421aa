import { offsetForLeaderEpochApi } from './api-versions.ts'
import type { LeaderEpochAnswer, LeaderEpochQuery } from './cluster.ts'
import { askLeaders, byTopic } from './partition-leaders.ts'
import type { Requests } from './requests.ts'

type EpochEnd = { readonly leaderEpoch: number; readonly endOffset: bigint }

/** OffsetForLeaderEpoch (KIP-320), of the partitions' leaders. */
export async function offsetsForLeaderEpochs(
  requests: Requests,
  queries: readonly LeaderEpochQuery[],
  signal: AbortSignal | undefined,
): Promise<readonly LeaderEpochAnswer[]> {
  const during = 'OffsetForLeaderEpoch'
  return await askLeaders<LeaderEpochQuery, EpochEnd | undefined>(
    requests,
    during,
    queries,
    signal,
    async (leader, led, inner) => {
      const currentEpochs = new Map(led.map(({ item, leaderEpoch }) => [item, leaderEpoch]))
      const topics = [...byTopic(currentEpochs.keys())].map(([name, items]) => ({
        name,
        partitions: items.map((item) => ({
          partitionIndex: item.partition,
          currentLeaderEpoch: currentEpochs.get(item) ?? -1,
          leaderEpoch: item.leaderEpoch,
        })),
      }))
      const answer = await requests.toBroker(leader, offsetForLeaderEpochApi, topics, inner)
      return answer.topics.flatMap(({ topic, partitions }) =>
        partitions.map(({ partition, errorCode, leaderEpoch, endOffset }) => ({
          topic,
          partition,
          errorCode,
          value: leaderEpoch < 0 || endOffset < 0n ? undefined : { leaderEpoch, endOffset },
        })),
      )
    },
  )
}
