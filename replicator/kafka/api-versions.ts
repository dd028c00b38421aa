import {
  addPartitionsToTxnV3,
  type Connection,
  createPartitionsV1,
  createPartitionsV2,
  createPartitionsV3,
  createTopicsV4,
  createTopicsV5,
  createTopicsV6,
  createTopicsV7,
  describeConfigsV2,
  describeConfigsV3,
  describeConfigsV4,
  describeProducersV0,
  endTxnV3,
  endTxnV4,
  findCoordinatorV2,
  findCoordinatorV3,
  findCoordinatorV4,
  findCoordinatorV5,
  findCoordinatorV6,
  incrementalAlterConfigsV0,
  incrementalAlterConfigsV1,
  initProducerIdV3,
  initProducerIdV4,
  initProducerIdV5,
  listOffsetsV5,
  listOffsetsV6,
  listOffsetsV7,
  listOffsetsV8,
  listOffsetsV9,
  metadataV9,
  metadataV10,
  metadataV11,
  metadataV12,
  offsetForLeaderEpochV4,
} from '@platformatic/kafka'
import {
  sendWriteTxnMarkers,
  type WriteTxnMarkers,
  type WriteTxnMarkersResponse,
} from './write-txn-markers.ts'

/** One request of the protocol in every version that we can write. */
export interface VersionedApi<Request, Response> {
  readonly name: string
  readonly key: number
  /** Newest first. */
  readonly versions: readonly ApiVersion<Request, Response>[]
}

export interface ApiVersion<Request, Response> {
  readonly version: number
  send(connection: Connection, request: Request): Promise<Response>
}

/** Inclusive. */
export interface VersionRange {
  readonly min: number
  readonly max: number
}

export type VersionChoice<Request, Response> =
  | { readonly kind: 'chosen'; readonly api: ApiVersion<Request, Response> }
  | { readonly kind: 'none'; readonly reason: string }

/**
 * The newest version that both sides have.
 * @param offered what the broker said in ApiVersions; `undefined` when it does not know the request at all
 */
export function chooseVersion<Request, Response>(
  api: VersionedApi<Request, Response>,
  offered: VersionRange | undefined,
): VersionChoice<Request, Response> {
  if (offered === undefined) return { kind: 'none', reason: `the broker does not know ${api.name}` }
  const chosen = api.versions.find(({ version }) => version >= offered.min && version <= offered.max)
  if (chosen) return { kind: 'chosen', api: chosen }
  const ours = api.versions.map(({ version }) => version)
  return {
    kind: 'none',
    reason: `the broker speaks ${api.name} ${offered.min} to ${offered.max}, Causeway ${Math.min(...ours)} to ${Math.max(...ours)}`,
  }
}

type Send<Request, Response> = (connection: Connection, request: Request) => Promise<Response>

/** @param sends by version */
export function versioned<Request, Response>(
  name: string,
  key: number,
  sends: Readonly<Record<number, Send<Request, Response>>>,
): VersionedApi<Request, Response> {
  const versions = Object.entries(sends).map(([version, send]) => ({ version: Number(version), send }))
  return { name, key, versions: versions.sort((a, b) => b.version - a.version) }
}

/** Names of topics; `null` asks for all, an empty list for none (brokers only). Never creates topics. */
export const metadataApi = versioned<{ topics: string[] | null }, metadataV12.MetadataResponse>(
  'Metadata',
  3,
  {
    9: (connection, { topics }) => metadataV9.api.async(connection, topics, false),
    10: (connection, { topics }) => metadataV10.api.async(connection, topics, false),
    11: (connection, { topics }) => metadataV11.api.async(connection, topics, false),
    12: (connection, { topics }) => metadataV12.api.async(connection, topics, false),
  },
)

/** `timeoutMs` is how long the controller may wait for the topics to be known. */
export const createTopicsApi = versioned<
  { topics: createTopicsV7.CreateTopicsRequestTopic[]; timeoutMs: number },
  createTopicsV7.CreateTopicsResponse
>('CreateTopics', 19, {
  4: (connection, { topics, timeoutMs }) => createTopicsV4.api.async(connection, topics, timeoutMs, false),
  5: (connection, { topics, timeoutMs }) => createTopicsV5.api.async(connection, topics, timeoutMs, false),
  6: (connection, { topics, timeoutMs }) => createTopicsV6.api.async(connection, topics, timeoutMs, false),
  7: (connection, { topics, timeoutMs }) => createTopicsV7.api.async(connection, topics, timeoutMs, false),
})

export const createPartitionsApi = versioned<
  { topics: createPartitionsV3.CreatePartitionsRequestTopic[]; timeoutMs: number },
  createPartitionsV3.CreatePartitionsResponse
>('CreatePartitions', 37, {
  1: (connection, { topics, timeoutMs }) =>
    createPartitionsV1.api.async(connection, topics, timeoutMs, false),
  2: (connection, { topics, timeoutMs }) =>
    createPartitionsV2.api.async(connection, topics, timeoutMs, false),
  3: (connection, { topics, timeoutMs }) =>
    createPartitionsV3.api.async(connection, topics, timeoutMs, false),
})

export const describeConfigsApi = versioned<
  describeConfigsV4.DescribeConfigsRequestResource[],
  describeConfigsV4.DescribeConfigsResponse
>('DescribeConfigs', 32, {
  2: (connection, resources) => describeConfigsV2.api.async(connection, resources),
  3: (connection, resources) => describeConfigsV3.api.async(connection, resources),
  4: (connection, resources) => describeConfigsV4.api.async(connection, resources),
})

export const incrementalAlterConfigsApi = versioned<
  incrementalAlterConfigsV1.IncrementalAlterConfigsRequestResource[],
  incrementalAlterConfigsV1.IncrementalAlterConfigsResponse
>('IncrementalAlterConfigs', 44, {
  0: (connection, resources) => incrementalAlterConfigsV0.api.async(connection, resources, false),
  1: (connection, resources) => incrementalAlterConfigsV1.api.async(connection, resources, false),
})

/** -1: we are a client, not a replica. */
const client = -1

/** Isolation level 1 is read_committed: `latest` is then the last stable offset. */
export const listOffsetsApi = versioned<
  { isolation: 0 | 1; topics: listOffsetsV9.ListOffsetsRequestTopic[] },
  listOffsetsV9.ListOffsetsResponse
>('ListOffsets', 2, {
  5: (connection, { isolation, topics }) => listOffsetsV5.api.async(connection, client, isolation, topics),
  6: (connection, { isolation, topics }) => listOffsetsV6.api.async(connection, client, isolation, topics),
  7: (connection, { isolation, topics }) => listOffsetsV7.api.async(connection, client, isolation, topics),
  8: (connection, { isolation, topics }) => listOffsetsV8.api.async(connection, client, isolation, topics),
  9: (connection, { isolation, topics }) => listOffsetsV9.api.async(connection, client, isolation, topics),
})

export interface InitProducerId {
  readonly transactionalId: string | null
  readonly transactionTimeoutMs: number
  /** -1 for both where the request expects no identity (KIP-360). */
  readonly producerId: bigint
  readonly producerEpoch: number
}

export const initProducerIdApi = versioned<InitProducerId, initProducerIdV5.InitProducerIdResponse>(
  'InitProducerId',
  22,
  {
    3: (connection, request) => initProducerIdV3.api.async(connection, ...initProducerIdFields(request)),
    4: (connection, request) => initProducerIdV4.api.async(connection, ...initProducerIdFields(request)),
    5: (connection, request) => initProducerIdV5.api.async(connection, ...initProducerIdFields(request)),
  },
)

function initProducerIdFields(request: InitProducerId): [string | null, number, bigint, number] {
  return [request.transactionalId, request.transactionTimeoutMs, request.producerId, request.producerEpoch]
}

/** Version 3 is the last that clients send for one transaction; later ones are for brokers, or bump epochs (KIP-890). */
export const addPartitionsToTxnApi = versioned<
  addPartitionsToTxnV3.AddPartitionsToTxnRequestTransaction,
  addPartitionsToTxnV3.AddPartitionsToTxnResponse
>('AddPartitionsToTxn', 24, {
  3: (connection, transaction) => addPartitionsToTxnV3.api.async(connection, [transaction]),
})

export interface EndTxn {
  readonly transactionalId: string
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly commit: boolean
}

/** From version 5 on the epoch would be bumped with every end (KIP-890). */
export const endTxnApi = versioned<EndTxn, endTxnV4.EndTxnResponse>('EndTxn', 26, {
  3: (connection, { transactionalId, producerId, producerEpoch, commit }) =>
    endTxnV3.api.async(connection, transactionalId, producerId, producerEpoch, commit),
  4: (connection, { transactionalId, producerId, producerEpoch, commit }) =>
    endTxnV4.api.async(connection, transactionalId, producerId, producerEpoch, commit),
})

export const writeTxnMarkersApi = versioned<WriteTxnMarkers, WriteTxnMarkersResponse>('WriteTxnMarkers', 27, {
  1: sendWriteTxnMarkers,
})

export const describeProducersApi = versioned<
  describeProducersV0.DescribeProducersRequestTopic[],
  describeProducersV0.DescribeProducersResponse
>('DescribeProducers', 61, {
  0: (connection, topics) => describeProducersV0.api.async(connection, topics),
})

export const offsetForLeaderEpochApi = versioned<
  offsetForLeaderEpochV4.OffsetForLeaderEpochRequestTopic[],
  offsetForLeaderEpochV4.OffsetForLeaderEpochResponse
>('OffsetForLeaderEpoch', 23, {
  4: (connection, topics) => offsetForLeaderEpochV4.api.async(connection, client, topics),
})

/** The kinds of things that have a coordinator. */
export type CoordinatorKeyType = 0 | 1
export const groupKey = 0
export const transactionKey = 1

type FindCoordinator = VersionedApi<
  { readonly keyType: CoordinatorKeyType; readonly keys: string[] },
  findCoordinatorV6.FindCoordinatorResponse
>

/** Many keys in one request (KIP-699, Kafka 3.0). */
export const findCoordinatorsApi: FindCoordinator = versioned('FindCoordinator', 10, {
  4: (connection, { keyType, keys }) => findCoordinatorV4.api.async(connection, keyType, keys),
  5: (connection, { keyType, keys }) => findCoordinatorV5.api.async(connection, keyType, keys),
  6: (connection, { keyType, keys }) => findCoordinatorV6.api.async(connection, keyType, keys),
})

/** For one key. The answer does not name it before version 4. */
export const findCoordinatorApi: FindCoordinator = versioned('FindCoordinator', 10, {
  2: (connection, { keyType, keys }) => findCoordinatorV2.api.async(connection, keyType, keys),
  3: (connection, { keyType, keys }) => findCoordinatorV3.api.async(connection, keyType, keys),
  4: (connection, { keyType, keys }) => findCoordinatorV4.api.async(connection, keyType, keys),
  5: (connection, { keyType, keys }) => findCoordinatorV5.api.async(connection, keyType, keys),
  6: (connection, { keyType, keys }) => findCoordinatorV6.api.async(connection, keyType, keys),
})
