import { CommitFeed, type CommitFeedOptions } from '../groups/commit-feed.ts'
import { OffsetsTopicCommits } from '../groups/offsets-topic-commits.ts'
import { defaultPollLimits } from '../groups/poll-schedule.ts'
import { PolledCommits } from '../groups/polled-commits.ts'
import { ReadableCommits, type ReadableCommitsOptions } from '../groups/readable-commits.ts'
import { compileGroups } from '../groups/selected-groups.ts'
import type { Cluster } from '../kafka/cluster.ts'
import { LogWalks } from '../logs/log-walks.ts'
import type { NameSelection } from '../topology/model.ts'

/** Who is new is found this soon, where groups are polled, in milliseconds. */
const LIST_EVERY_MS = 5_000

/** The commits of some of a cluster's groups, with what reads them. */
export interface OpenFeed {
  readonly feed: CommitFeed
  close(): Promise<void>
}

/** Nothing is asked of the cluster yet. */
export function commitFeed(
  cluster: Cluster,
  groups: readonly NameSelection[],
  { onPolling, ...shared }: Omit<CommitFeedOptions, 'source'> & Pick<ReadableCommitsOptions, 'onPolling'>,
): OpenFeed {
  const { clock } = shared
  const selects = compileGroups(groups)
  const walks = new LogWalks({ cluster, ...shared })
  const limits = defaultPollLimits
  const offsetsTopic = new OffsetsTopicCommits({ cluster, walks, clock, selects })
  const polling = new PolledCommits({ cluster, clock, selects, limits, listEveryMs: LIST_EVERY_MS })
  const feed = new CommitFeed({
    ...shared,
    source: new ReadableCommits({ offsetsTopic, polling, onPolling }),
  })
  return {
    feed,
    async close() {
      await feed.close()
      await walks.close()
    },
  }
}
