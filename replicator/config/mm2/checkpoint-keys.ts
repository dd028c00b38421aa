import type { KeyMeaning } from './key-meaning.ts'

/** Keys of MirrorCheckpointConnector. */
export const checkpointKeys: readonly KeyMeaning[] = [
  {
    key: 'groups',
    byDefault: '.*',
    kind: 'same',
    here: 'Names and Java expressions of consumer groups whose positions follow.',
  },
  {
    key: 'groups.exclude',
    byDefault: 'console-consumer-.*, connect-.*, __.*',
    kind: 'same',
    here: 'Names and Java expressions of consumer groups to leave out.',
  },
  {
    key: 'groups.blacklist',
    kind: 'refused',
    here: 'Removed in MirrorMaker 2 4.0: write groups.exclude.',
  },
  {
    key: 'group.filter.class',
    byDefault: 'DefaultGroupFilter',
    kind: 'refused',
    here: 'Groups are chosen by groups and groups.exclude; filters of your own cannot be run here.',
    accepts: ['org.apache.kafka.connect.mirror.defaultgroupfilter'],
  },
  {
    key: 'refresh.groups.enabled',
    byDefault: 'true',
    kind: 'refused',
    here: 'New groups that are selected always follow; to follow certain groups only, list them in groups.',
    accepts: ['true'],
  },
  {
    key: 'refresh.groups.interval.seconds',
    byDefault: '600',
    kind: 'not-needed',
    here: 'New groups are noticed without an interval of their own.',
  },
  {
    key: 'emit.checkpoints.enabled',
    byDefault: 'true',
    kind: 'same',
    here: "Whether MirrorMaker 2's checkpoints topic is written.",
  },
  {
    key: 'emit.checkpoints.interval.seconds',
    byDefault: '60',
    kind: 'not-needed',
    here: 'Checkpoints are written within a second of what moves a group.',
  },
  {
    key: 'sync.group.offsets.enabled',
    byDefault: 'false',
    kind: 'same',
    here: "Whether positions are written to the target's groups that have no members.",
  },
  {
    key: 'sync.group.offsets.interval.seconds',
    byDefault: '60',
    kind: 'not-needed',
    here: 'Positions are written as soon as they are known.',
  },
  {
    key: 'checkpoints.topic.replication.factor',
    byDefault: '3',
    kind: 'same',
    here: "Of MirrorMaker 2's checkpoints topic, if it has to be created.",
  },
]

/** Keys of MirrorHeartbeatConnector. */
export const heartbeatKeys: readonly KeyMeaning[] = [
  {
    key: 'emit.heartbeats.enabled',
    byDefault: 'true',
    kind: 'same',
    here: 'Whether heartbeats are written on the target of a pair of clusters, in either direction of a flow.',
  },
  {
    key: 'emit.heartbeats.interval.seconds',
    byDefault: '1',
    kind: 'same',
    here: 'How often heartbeats are written.',
  },
  {
    key: 'heartbeats.topic.replication.factor',
    byDefault: '3',
    kind: 'same',
    here: 'Of the heartbeats topic, if it has to be created.',
  },
]
