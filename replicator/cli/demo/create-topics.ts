import kafkajs, { type Admin, type ITopicConfig } from 'kafkajs'
import type { Clock } from '../../clock/clock.ts'

const { KafkaJSProtocolError } = kafkajs

const waitMsMax = 20_000

/**
 * Creates topics and waits until every partition has a leader. kafkajs's own wait gives up when the broker it asks has
 * not heard of the topic yet, which is common in the first moments (UNKNOWN_TOPIC_OR_PARTITION).
 * @throws KafkaJSError; Error when leaders take too long; the signal's reason
 */
export async function createTopics(
  admin: Admin,
  topics: ITopicConfig[],
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  await admin.createTopics({ waitForLeaders: false, topics })
  const names = topics.map(({ topic }) => topic)
  const deadlineMs = clock.monotonicMs() + waitMsMax
  while (!(await haveLeaders(admin, names))) {
    if (clock.monotonicMs() > deadlineMs)
      throw new Error(`no leader for ${names.join(', ')} after ${waitMsMax / 1000} s`)
    await clock.sleep(50, signal)
  }
}

async function haveLeaders(admin: Admin, topics: string[]): Promise<boolean> {
  try {
    const { topics: described } = await admin.fetchTopicMetadata({ topics })
    return described.every(({ partitions }) => partitions.every(({ leader }) => leader >= 0))
  } catch (error) {
    if (!(error instanceof KafkaJSProtocolError) || !error.retriable) throw error
    return false
  }
}
