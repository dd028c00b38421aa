import type { Admin, ITopicConfig } from 'kafkajs'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import { eventually } from '../contract/contract-harness.ts'

/** What a broker says of a topic that its controller has just made. */
const notYet = ['UNKNOWN_TOPIC_OR_PARTITION', 'LEADER_NOT_AVAILABLE']

/**
 * Creates topics and waits until each partition has a leader. kafkajs's own `waitForLeaders` fails when the broker that
 * it asks has not heard of the topic yet.
 */
export async function createTopics(admin: Admin, topics: ITopicConfig[]): Promise<void> {
  await admin.createTopics({ topics, waitForLeaders: false })
  const names = topics.map(({ topic }) => topic)
  await eventually({ clock: systemClock }, async () => {
    try {
      const { topics: found } = await admin.fetchTopicMetadata({ topics: names })
      return found.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0)) || undefined
    } catch (error) {
      if (notYet.includes((error as { type?: string }).type ?? '')) return undefined
      throw error
    }
  })
}
