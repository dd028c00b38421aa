import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  addPartitionsToTxnApi,
  chooseVersion,
  createPartitionsApi,
  createTopicsApi,
  describeConfigsApi,
  describeProducersApi,
  endTxnApi,
  findCoordinatorApi,
  findCoordinatorsApi,
  incrementalAlterConfigsApi,
  initProducerIdApi,
  listOffsetsApi,
  metadataApi,
  offsetForLeaderEpochApi,
  type VersionedApi,
  type VersionRange,
  writeTxnMarkersApi,
} from '../../../replicator/kafka/api-versions.ts'
import {
  consumerGroupDescribeApi,
  describeGroupsApi,
  listGroupsApi,
  offsetCommitApi,
  offsetDeleteApi,
  offsetFetchApi,
  offsetFetchOfOneApi,
} from '../../../replicator/kafka/consumer-group-apis.ts'
import {
  heartbeatApi,
  joinGroupApi,
  leaveGroupApi,
  syncGroupApi,
} from '../../../replicator/kafka/group-apis.ts'

/** What brokers of these releases offer, from their ApiVersions answers. */
const brokers: Readonly<Record<string, Readonly<Record<string, VersionRange>>>> = {
  '2.8': {
    Metadata: { min: 0, max: 11 },
    CreateTopics: { min: 0, max: 7 },
    CreatePartitions: { min: 0, max: 3 },
    DescribeConfigs: { min: 0, max: 4 },
    IncrementalAlterConfigs: { min: 0, max: 1 },
    ListOffsets: { min: 0, max: 6 },
    InitProducerId: { min: 0, max: 4 },
    FindCoordinator: { min: 0, max: 3 },
    AddPartitionsToTxn: { min: 0, max: 3 },
    EndTxn: { min: 0, max: 3 },
    WriteTxnMarkers: { min: 0, max: 1 },
    DescribeProducers: { min: 0, max: 0 },
    OffsetForLeaderEpoch: { min: 0, max: 4 },
    JoinGroup: { min: 0, max: 7 },
    SyncGroup: { min: 0, max: 5 },
    Heartbeat: { min: 0, max: 4 },
    LeaveGroup: { min: 0, max: 4 },
    ListGroups: { min: 0, max: 4 },
    DescribeGroups: { min: 0, max: 5 },
    OffsetCommit: { min: 0, max: 8 },
    OffsetDelete: { min: 0, max: 0 },
  },
  '4.3': {
    Metadata: { min: 0, max: 13 },
    CreateTopics: { min: 2, max: 7 },
    CreatePartitions: { min: 0, max: 3 },
    DescribeConfigs: { min: 1, max: 4 },
    IncrementalAlterConfigs: { min: 0, max: 1 },
    ListOffsets: { min: 1, max: 11 },
    InitProducerId: { min: 0, max: 5 },
    FindCoordinator: { min: 0, max: 6 },
    AddPartitionsToTxn: { min: 0, max: 5 },
    EndTxn: { min: 0, max: 5 },
    WriteTxnMarkers: { min: 1, max: 2 },
    DescribeProducers: { min: 0, max: 0 },
    OffsetForLeaderEpoch: { min: 2, max: 4 },
    JoinGroup: { min: 0, max: 9 },
    SyncGroup: { min: 0, max: 5 },
    Heartbeat: { min: 0, max: 4 },
    LeaveGroup: { min: 0, max: 5 },
    ListGroups: { min: 0, max: 5 },
    DescribeGroups: { min: 0, max: 6 },
    OffsetCommit: { min: 2, max: 10 },
    OffsetDelete: { min: 0, max: 0 },
  },
}

const expected: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  '2.8': {
    Metadata: 11,
    CreateTopics: 7,
    CreatePartitions: 3,
    DescribeConfigs: 4,
    IncrementalAlterConfigs: 1,
    ListOffsets: 6,
    InitProducerId: 4,
    FindCoordinator: 3,
    AddPartitionsToTxn: 3,
    EndTxn: 3,
    WriteTxnMarkers: 1,
    DescribeProducers: 0,
    OffsetForLeaderEpoch: 4,
    JoinGroup: 7,
    SyncGroup: 5,
    Heartbeat: 4,
    LeaveGroup: 4,
    ListGroups: 4,
    DescribeGroups: 5,
    OffsetCommit: 8,
    OffsetDelete: 0,
  },
  '4.3': {
    Metadata: 12,
    CreateTopics: 7,
    CreatePartitions: 3,
    DescribeConfigs: 4,
    IncrementalAlterConfigs: 1,
    ListOffsets: 9,
    InitProducerId: 5,
    FindCoordinator: 6,
    AddPartitionsToTxn: 3,
    EndTxn: 4,
    WriteTxnMarkers: 1,
    DescribeProducers: 0,
    OffsetForLeaderEpoch: 4,
    JoinGroup: 9,
    SyncGroup: 5,
    Heartbeat: 4,
    LeaveGroup: 5,
    ListGroups: 5,
    DescribeGroups: 5,
    OffsetCommit: 9,
    OffsetDelete: 0,
  },
}

const apis: readonly VersionedApi<never, unknown>[] = [
  metadataApi,
  createTopicsApi,
  createPartitionsApi,
  describeConfigsApi,
  incrementalAlterConfigsApi,
  listOffsetsApi,
  initProducerIdApi,
  findCoordinatorApi,
  addPartitionsToTxnApi,
  endTxnApi,
  writeTxnMarkersApi,
  describeProducersApi,
  offsetForLeaderEpochApi,
  joinGroupApi,
  syncGroupApi,
  heartbeatApi,
  leaveGroupApi,
  listGroupsApi,
  describeGroupsApi,
  offsetCommitApi,
  offsetDeleteApi,
]

describe('chooseVersion', () => {
  for (const release of Object.keys(brokers)) {
    test(`finds a version of every request with brokers ${release}`, () => {
      const chosen = apis.map((api) => {
        const choice = chooseVersion(api, brokers[release]?.[api.name])
        return [api.name, choice.kind === 'chosen' ? choice.api.version : choice.reason]
      })
      assert.deepEqual(Object.fromEntries(chosen), expected[release])
    })
  }

  test('asks about many groups at once where the broker can, and about one at a time elsewhere', () => {
    const version = (api: VersionedApi<never, unknown>, min: number, max: number) => {
      const choice = chooseVersion(api, { min, max })
      return choice.kind === 'chosen' ? choice.api.version : undefined
    }
    const apis = [findCoordinatorsApi, findCoordinatorApi, offsetFetchApi, offsetFetchOfOneApi]
    const [find, findOne, fetch, fetchOne] = apis as readonly VersionedApi<never, unknown>[]
    assert(find && findOne && fetch && fetchOne)
    assert.deepEqual([version(find, 0, 3), version(findOne, 0, 3)], [undefined, 3])
    assert.deepEqual([version(find, 0, 6), version(findOne, 0, 6)], [6, 6])
    assert.deepEqual([version(fetch, 0, 7), version(fetchOne, 0, 7)], [undefined, 7])
    assert.deepEqual([version(fetch, 1, 10), version(fetchOne, 1, 10)], [9, 7])
    assert.equal(chooseVersion(consumerGroupDescribeApi, undefined).kind, 'none')
    assert.equal(version(consumerGroupDescribeApi, 0, 1), 0)
  })

  test('takes the newest common version, or says what both sides have', () => {
    const version = fc.integer({ min: 0, max: 30 })
    fc.assert(
      fc.property(fc.uniqueArray(version, { minLength: 1 }), version, version, (ours, one, other) => {
        const range = { min: Math.min(one, other), max: Math.max(one, other) }
        const versions = ours
          .toSorted((a, b) => b - a)
          .map((version) => ({ version, send: () => Promise.resolve(undefined) }))
        const common = ours.filter((version) => version >= range.min && version <= range.max)
        const choice = chooseVersion({ name: 'Example', key: 1, versions }, range)
        if (common.length === 0) {
          assert.equal(choice.kind, 'none')
          assert.match(choice.reason, /speaks Example \d+ to \d+, Causeway \d+ to \d+/)
        } else {
          assert.ok(choice.kind === 'chosen')
          assert.equal(choice.api.version, Math.max(...common))
        }
      }),
    )
  })

  test('a request that the broker does not know has no version', () => {
    const choice = chooseVersion(metadataApi, undefined)
    assert.deepEqual(choice, { kind: 'none', reason: 'the broker does not know Metadata' })
  })
})
