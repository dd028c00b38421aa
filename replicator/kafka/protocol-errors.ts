/**
 * The Kafka protocol's error codes, all of Apache Kafka 4.3 (org.apache.kafka.common.protocol.Errors), in one table.
 * Whether a code may be retried and whether it says that our metadata is out of date follow the Java client's
 * exception classes; the exceptions to that are commented in the table.
 */

export interface ProtocolError {
  readonly code: number
  readonly name: string
  /** The same request can succeed later, unchanged. */
  readonly retriable: boolean
  /** What we know about leaders, topics or the controller is out of date: ask again before the retry. */
  readonly refreshesMetadata: boolean
  /** What the broker means by it, without a full stop. */
  readonly meaning: string
  /** What a user can do; `undefined` for codes that resolve themselves or that users never meet. */
  readonly wayOut: string | undefined
}

type Policy = 'final' | 'retry' | 'refresh'

/** `refresh` means: retry, after asking for metadata. */
function row(code: number, name: string, policy: Policy, meaning: string, wayOut?: string): ProtocolError {
  return {
    code,
    name,
    retriable: policy !== 'final',
    refreshesMetadata: policy === 'refresh',
    meaning,
    wayOut,
  }
}

const rows: readonly ProtocolError[] = [
  row(
    -1,
    'UNKNOWN_SERVER_ERROR',
    'final',
    'the broker failed in an unexpected way',
    "Read the broker's log.",
  ),
  row(
    1,
    'OFFSET_OUT_OF_RANGE',
    'final',
    'the log does not hold this offset',
    'Compare it with the log start offset: retention may have removed it, or the topic was re-created or truncated.',
  ),
  row(
    2,
    'CORRUPT_MESSAGE',
    'retry',
    'the record batch failed its checksum or validation',
    'A compacted topic refuses records without a key. Otherwise look for failing disks or network hardware.',
  ),
  row(
    3,
    'UNKNOWN_TOPIC_OR_PARTITION',
    'refresh',
    'the broker does not host this topic or partition',
    'Check that the topic exists and that the principal may DESCRIBE it: brokers hide topics without that right.',
  ),
  row(4, 'INVALID_FETCH_SIZE', 'final', 'the fetch size is invalid'),
  row(5, 'LEADER_NOT_AVAILABLE', 'refresh', 'the partition has no leader now'),
  row(6, 'NOT_LEADER_OR_FOLLOWER', 'refresh', 'the broker does not lead this partition'),
  row(
    7,
    'REQUEST_TIMED_OUT',
    'retry',
    'the broker could not finish in time',
    'If it stays, look for replicas that are down or far behind.',
  ),
  row(8, 'BROKER_NOT_AVAILABLE', 'final', 'the broker is not available', 'Check that the broker is up.'),
  row(9, 'REPLICA_NOT_AVAILABLE', 'refresh', 'the replica is not available'),
  row(
    10,
    'MESSAGE_TOO_LARGE',
    'final',
    'the record batch is larger than the topic takes',
    'Raise max.message.bytes on the topic (or message.max.bytes on its brokers), or check that no fence lowered it.',
  ),
  row(11, 'STALE_CONTROLLER_EPOCH', 'final', 'the controller moved'),
  row(12, 'OFFSET_METADATA_TOO_LARGE', 'final', 'the metadata of the committed offset is too large'),
  row(13, 'NETWORK_EXCEPTION', 'refresh', 'the broker lost its connection to another broker'),
  row(14, 'COORDINATOR_LOAD_IN_PROGRESS', 'retry', 'the coordinator is loading'),
  row(15, 'COORDINATOR_NOT_AVAILABLE', 'retry', 'the coordinator is not available'),
  row(16, 'NOT_COORDINATOR', 'retry', 'the broker is not this coordinator any more'),
  row(
    17,
    'INVALID_TOPIC_EXCEPTION',
    'final',
    'the topic name is invalid, or the topic may not be written to',
    'Use letters, digits, ".", "_" and "-", at most 249; internal topics take no records from clients.',
  ),
  row(
    18,
    'RECORD_LIST_TOO_LARGE',
    'final',
    'the record batch is larger than a log segment',
    'Raise segment.bytes on the topic.',
  ),
  row(
    19,
    'NOT_ENOUGH_REPLICAS',
    'retry',
    'fewer replicas are in sync than min.insync.replicas',
    'Bring brokers back, or lower min.insync.replicas.',
  ),
  row(
    20,
    'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
    'retry',
    'the batch was written, to fewer replicas than min.insync.replicas',
    'Bring brokers back, or lower min.insync.replicas.',
  ),
  row(21, 'INVALID_REQUIRED_ACKS', 'final', 'the value of acks is invalid'),
  row(22, 'ILLEGAL_GENERATION', 'final', 'the group has moved to another generation'),
  row(23, 'INCONSISTENT_GROUP_PROTOCOL', 'final', "the member's protocols do not fit the group"),
  row(24, 'INVALID_GROUP_ID', 'final', 'the group id is invalid'),
  row(25, 'UNKNOWN_MEMBER_ID', 'final', 'the coordinator does not know this member'),
  row(26, 'INVALID_SESSION_TIMEOUT', 'final', 'the session timeout is outside the range of the broker'),
  row(27, 'REBALANCE_IN_PROGRESS', 'final', 'the group is rebalancing'),
  row(28, 'INVALID_COMMIT_OFFSET_SIZE', 'final', "the committed offset's data is too large"),
  row(
    29,
    'TOPIC_AUTHORIZATION_FAILED',
    'final',
    'the principal may not do this with the topic',
    'Grant it: READ and DESCRIBE on a source topic; WRITE, CREATE, DESCRIBE, ALTER, DESCRIBE_CONFIGS and ALTER_CONFIGS on a target topic.',
  ),
  row(
    30,
    'GROUP_AUTHORIZATION_FAILED',
    'final',
    'the principal may not do this with the group',
    'Grant READ and DESCRIBE on the group.',
  ),
  row(
    31,
    'CLUSTER_AUTHORIZATION_FAILED',
    'final',
    'the principal may not do this with the cluster',
    'Grant it on the cluster: CREATE for topics, IDEMPOTENT_WRITE for producers (brokers before 2.8), ALTER and DESCRIBE.',
  ),
  row(
    32,
    'INVALID_TIMESTAMP',
    'final',
    "the topic refuses the records' timestamps",
    'Raise message.timestamp.before.max.ms and message.timestamp.after.max.ms on the topic (message.timestamp.difference.max.ms before 3.6).',
  ),
  row(
    33,
    'UNSUPPORTED_SASL_MECHANISM',
    'final',
    'the broker does not offer this SASL mechanism',
    'Use a mechanism from sasl.enabled.mechanisms of the listener.',
  ),
  row(34, 'ILLEGAL_SASL_STATE', 'final', 'the request does not fit the state of the log-in'),
  row(
    35,
    'UNSUPPORTED_VERSION',
    'final',
    'the broker does not know this version of the request',
    'Use brokers from 2.8 to 4.3.',
  ),
  row(36, 'TOPIC_ALREADY_EXISTS', 'final', 'a topic of this name exists, or is being deleted'),
  row(37, 'INVALID_PARTITIONS', 'final', 'the partition count is invalid', 'Partition counts only grow.'),
  row(
    38,
    'INVALID_REPLICATION_FACTOR',
    'final',
    'the replication factor is below 1 or above the number of brokers',
    'Lower the replication factor, or bring more brokers up.',
  ),
  row(39, 'INVALID_REPLICA_ASSIGNMENT', 'final', 'the replica assignment is invalid'),
  row(
    40,
    'INVALID_CONFIG',
    'final',
    'the cluster refuses a config',
    'Exclude the config from the config sync, or give it a value this cluster takes.',
  ),
  // The Java client finds the new controller by itself; here it comes with the metadata.
  row(41, 'NOT_CONTROLLER', 'refresh', 'the broker is not the controller'),
  row(42, 'INVALID_REQUEST', 'final', 'the broker finds the request malformed', "Read the broker's log."),
  row(
    43,
    'UNSUPPORTED_FOR_MESSAGE_FORMAT',
    'final',
    "the topic's record format is too old",
    'Raise log.message.format.version to 2.0 or later.',
  ),
  row(
    44,
    'POLICY_VIOLATION',
    'final',
    "the cluster's policy forbids it",
    "Ask the cluster's owner about create.topic.policy and alter.config.policy.",
  ),
  row(45, 'OUT_OF_ORDER_SEQUENCE_NUMBER', 'final', 'a batch is missing before this one'),
  row(46, 'DUPLICATE_SEQUENCE_NUMBER', 'final', 'the batch was written before, too long ago to say where'),
  row(47, 'INVALID_PRODUCER_EPOCH', 'final', 'a newer producer has taken over'),
  row(48, 'INVALID_TXN_STATE', 'final', 'the transaction is in another state'),
  row(49, 'INVALID_PRODUCER_ID_MAPPING', 'final', 'the producer id does not belong to the transactional id'),
  row(
    50,
    'INVALID_TRANSACTION_TIMEOUT',
    'final',
    'the transaction timeout is longer than the broker allows',
    'Raise transaction.max.timeout.ms on the brokers.',
  ),
  row(51, 'CONCURRENT_TRANSACTIONS', 'retry', 'the previous transaction is still being completed'),
  row(52, 'TRANSACTION_COORDINATOR_FENCED', 'final', 'the transaction coordinator has moved'),
  row(
    53,
    'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
    'final',
    'the principal may not use the transactional id',
    'Grant WRITE and DESCRIBE on the transactional id.',
  ),
  row(54, 'SECURITY_DISABLED', 'final', 'the cluster has no authorizer'),
  row(55, 'OPERATION_NOT_ATTEMPTED', 'final', 'not attempted, because another part of the request failed'),
  row(
    56,
    'KAFKA_STORAGE_ERROR',
    'refresh',
    "the broker's disk failed",
    "Look at the broker's log directories and disk space.",
  ),
  row(57, 'LOG_DIR_NOT_FOUND', 'final', 'the broker has no such log directory'),
  row(
    58,
    'SASL_AUTHENTICATION_FAILED',
    'final',
    'the broker refuses the credentials',
    'Check user name, password or token, and the SASL mechanism.',
  ),
  row(59, 'UNKNOWN_PRODUCER_ID', 'final', 'the broker has forgotten this producer'),
  row(
    60,
    'REASSIGNMENT_IN_PROGRESS',
    'final',
    'partitions are being moved',
    'Try again once they have moved.',
  ),
  row(61, 'DELEGATION_TOKEN_AUTH_DISABLED', 'final', 'delegation tokens are disabled'),
  row(62, 'DELEGATION_TOKEN_NOT_FOUND', 'final', 'the delegation token does not exist'),
  row(63, 'DELEGATION_TOKEN_OWNER_MISMATCH', 'final', 'the principal does not own the delegation token'),
  row(64, 'DELEGATION_TOKEN_REQUEST_NOT_ALLOWED', 'final', 'this channel may not ask for delegation tokens'),
  row(65, 'DELEGATION_TOKEN_AUTHORIZATION_FAILED', 'final', 'the delegation token is not authorized'),
  row(66, 'DELEGATION_TOKEN_EXPIRED', 'final', 'the delegation token has expired'),
  row(67, 'INVALID_PRINCIPAL_TYPE', 'final', "the principal's type is not supported"),
  row(68, 'NON_EMPTY_GROUP', 'final', 'the group has members'),
  row(69, 'GROUP_ID_NOT_FOUND', 'final', 'the group does not exist'),
  row(70, 'FETCH_SESSION_ID_NOT_FOUND', 'retry', 'the fetch session is gone'),
  row(71, 'INVALID_FETCH_SESSION_EPOCH', 'retry', 'the fetch session is at another epoch'),
  row(
    72,
    'LISTENER_NOT_FOUND',
    'refresh',
    "the partition's leader has no listener of this name",
    'Give every broker the same listener names.',
  ),
  row(73, 'TOPIC_DELETION_DISABLED', 'final', 'topics may not be deleted'),
  row(74, 'FENCED_LEADER_EPOCH', 'refresh', 'the partition has a newer leader epoch'),
  row(75, 'UNKNOWN_LEADER_EPOCH', 'retry', 'the broker has not seen this leader epoch yet'),
  row(76, 'UNSUPPORTED_COMPRESSION_TYPE', 'final', "the batch's compression is not supported"),
  row(77, 'STALE_BROKER_EPOCH', 'final', 'the broker registered anew'),
  row(78, 'OFFSET_NOT_AVAILABLE', 'retry', 'the new leader does not know its high watermark yet'),
  row(79, 'MEMBER_ID_REQUIRED', 'final', 'the member needs an id first'),
  row(80, 'PREFERRED_LEADER_NOT_AVAILABLE', 'refresh', 'the preferred leader is not available'),
  row(81, 'GROUP_MAX_SIZE_REACHED', 'final', 'the group is full'),
  row(82, 'FENCED_INSTANCE_ID', 'final', 'another member uses this group.instance.id'),
  row(83, 'ELIGIBLE_LEADERS_NOT_AVAILABLE', 'refresh', 'no replica may become leader now'),
  row(84, 'ELECTION_NOT_NEEDED', 'refresh', 'the leader is the preferred one already'),
  row(85, 'NO_REASSIGNMENT_IN_PROGRESS', 'final', 'no partitions are being moved'),
  row(86, 'GROUP_SUBSCRIBED_TO_TOPIC', 'final', 'the group is subscribed to the topic'),
  row(
    87,
    'INVALID_RECORD',
    'final',
    "the broker's validation refuses a record",
    'A compacted topic takes only records with a key; transactions and timestamps must fit the topic.',
  ),
  row(88, 'UNSTABLE_OFFSET_COMMIT', 'retry', 'a transaction is committing these offsets'),
  row(
    89,
    'THROTTLING_QUOTA_EXCEEDED',
    'retry',
    'the quota on changes of topics is used up',
    'Raise controller_mutation_rate for this principal, or wait.',
  ),
  row(90, 'PRODUCER_FENCED', 'final', 'a newer producer with the same transactional id has taken over'),
  row(91, 'RESOURCE_NOT_FOUND', 'final', 'the resource does not exist'),
  row(92, 'DUPLICATE_RESOURCE', 'final', 'the request names a resource twice'),
  row(93, 'UNACCEPTABLE_CREDENTIAL', 'final', "the credential does not meet the cluster's criteria"),
  row(94, 'INCONSISTENT_VOTER_SET', 'final', 'not one of the expected voters'),
  row(95, 'INVALID_UPDATE_VERSION', 'final', 'the version of the update is invalid'),
  row(96, 'FEATURE_UPDATE_FAILED', 'final', 'the feature could not be updated'),
  row(97, 'PRINCIPAL_DESERIALIZATION_FAILURE', 'final', 'brokers cannot forward the principal to each other'),
  row(98, 'SNAPSHOT_NOT_FOUND', 'final', 'the metadata snapshot does not exist'),
  row(99, 'POSITION_OUT_OF_RANGE', 'final', 'the position lies outside the snapshot'),
  row(
    100,
    'UNKNOWN_TOPIC_ID',
    'refresh',
    'the broker does not host a topic with this id',
    'If it stays, the topic was deleted or re-created.',
  ),
  row(101, 'DUPLICATE_BROKER_REGISTRATION', 'final', 'the broker id is in use'),
  row(102, 'BROKER_ID_NOT_REGISTERED', 'final', 'the broker id is not registered'),
  row(
    103,
    'INCONSISTENT_TOPIC_ID',
    'refresh',
    "the log's topic id is not the one asked for",
    'If it stays, the topic was deleted or re-created.',
  ),
  row(
    104,
    'INCONSISTENT_CLUSTER_ID',
    'final',
    'the cluster has another id',
    'Check that the addresses belong to this cluster.',
  ),
  row(105, 'TRANSACTIONAL_ID_NOT_FOUND', 'final', 'the transactional id is unknown or has expired'),
  row(106, 'FETCH_SESSION_TOPIC_ID_ERROR', 'retry', 'the fetch session mixed topic ids and names'),
  row(107, 'INELIGIBLE_REPLICA', 'final', 'the replica may not join the in-sync set'),
  row(108, 'NEW_LEADER_ELECTED', 'final', 'the leader changed with this update'),
  row(
    109,
    'OFFSET_MOVED_TO_TIERED_STORAGE',
    'final',
    'the offset lies in tiered storage',
    'Fetch through a client that reads tiered storage.',
  ),
  row(110, 'FENCED_MEMBER_EPOCH', 'final', 'the coordinator fenced the member'),
  row(111, 'UNRELEASED_INSTANCE_ID', 'final', 'another member still uses the instance id'),
  row(112, 'UNSUPPORTED_ASSIGNOR', 'final', 'the group does not support the assignor'),
  row(113, 'STALE_MEMBER_EPOCH', 'final', "the member's epoch is stale"),
  row(114, 'MISMATCHED_ENDPOINT_TYPE', 'final', 'the request went to the wrong kind of listener'),
  row(115, 'UNSUPPORTED_ENDPOINT_TYPE', 'final', 'this kind of listener is not supported'),
  row(116, 'UNKNOWN_CONTROLLER_ID', 'final', 'the controller id is unknown'),
  row(117, 'UNKNOWN_SUBSCRIPTION_ID', 'final', 'the telemetry subscription is out of date'),
  row(118, 'TELEMETRY_TOO_LARGE', 'final', 'the telemetry is larger than the broker takes'),
  row(119, 'INVALID_REGISTRATION', 'final', "the controller refuses the broker's registration"),
  row(120, 'TRANSACTION_ABORTABLE', 'final', 'the transaction failed and has to be aborted'),
  row(121, 'INVALID_RECORD_STATE', 'final', 'the acknowledged record is in another state'),
  row(122, 'SHARE_SESSION_NOT_FOUND', 'retry', 'the share session is gone'),
  row(123, 'INVALID_SHARE_SESSION_EPOCH', 'retry', 'the share session is at another epoch'),
  row(124, 'FENCED_STATE_EPOCH', 'final', 'the share group is at another state epoch'),
  row(125, 'INVALID_VOTER_KEY', 'final', "the voter's key is not the replica's"),
  row(126, 'DUPLICATE_VOTER', 'final', 'the voter is in the set already'),
  row(127, 'VOTER_NOT_FOUND', 'final', 'the voter is not in the set'),
  row(128, 'INVALID_REGULAR_EXPRESSION', 'final', 'the regular expression is invalid'),
  // Only brokers from 4.0 on send it, to clients that ask with Metadata v13.
  row(129, 'REBOOTSTRAP_REQUIRED', 'final', 'the client has to start from its bootstrap addresses again'),
  row(130, 'STREAMS_INVALID_TOPOLOGY', 'final', 'the Streams topology is invalid'),
  row(131, 'STREAMS_INVALID_TOPOLOGY_EPOCH', 'final', "the Streams topology's epoch is invalid"),
  row(132, 'STREAMS_TOPOLOGY_FENCED', 'final', "the Streams topology's epoch is out of date"),
  row(133, 'SHARE_SESSION_LIMIT_REACHED', 'retry', 'the broker has no room for another share session'),
]

const byCode = new Map(rows.map((entry) => [entry.code, entry]))

/** Every code but 0 (no error), in ascending order. */
export const protocolErrors: readonly ProtocolError[] = rows

/** The protocol's names and meanings; a code that is not in the table counts as final. */
export function describeProtocolError(code: number): ProtocolError {
  return (
    byCode.get(code) ?? {
      code,
      name: `UNKNOWN_ERROR_CODE_${code}`,
      retriable: false,
      refreshesMetadata: false,
      meaning: 'the broker answered with an error code that this version does not know',
      wayOut: "Read the broker's log; the broker may be newer than 4.3.",
    }
  )
}
