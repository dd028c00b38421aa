const KIB = 1024
const MIB = 1024 * KIB

/** What one flow may hold and send. All bytes are record-batch bytes as they travel. */
export interface FlowLimits {
  /** Fetched and not yet acknowledged, over the whole flow; reserved before a fetch is sent. */
  readonly bufferBytesMax: number
  /** The same for one partition: one that is this far ahead of its target is not fetched. */
  readonly partitionBufferBytesMax: number
  /** Largest answer asked of a source broker; answers grow to it only while they come back full. */
  readonly fetchBytesMax: number
  /** Smallest answer asked for, and the first one. */
  readonly fetchBytesMin: number
  /** How long a source broker may hold back an empty answer, in milliseconds. */
  readonly fetchWaitMaxMs: number
  /** Connections to each source broker; partitions are dealt out among them. */
  readonly sourceLanes: number
  /** Connections to each target broker. */
  readonly targetLanes: number
  /** Bytes at which a Produce request is full; a single larger batch still goes. */
  readonly produceBytesMax: number
  /** Produce requests in flight on one connection. */
  readonly produceRequestsMax: number
  /** How long target brokers may wait for their in-sync replicas, in milliseconds. */
  readonly produceTimeoutMs: number
  /** How often progress is written, in milliseconds. */
  readonly progressIntervalMs: number
  /** How often offset maps are written, in milliseconds. A crash leaves a coarse span where they were not. */
  readonly mapIntervalMs: number
  /** How often both sides are looked at for what reading and writing alone would not show, in milliseconds. */
  readonly watchIntervalMs: number
}

export const defaultFlowLimits: FlowLimits = {
  bufferBytesMax: 96 * MIB,
  partitionBufferBytesMax: 16 * MIB,
  fetchBytesMax: 8 * MIB,
  fetchBytesMin: MIB,
  fetchWaitMaxMs: 500,
  sourceLanes: 4,
  targetLanes: 2,
  produceBytesMax: MIB,
  produceRequestsMax: 5,
  produceTimeoutMs: 30_000,
  progressIntervalMs: 1000,
  mapIntervalMs: 5000,
  watchIntervalMs: 5000,
}

/** Batches of one partition in flight: brokers remember five per producer to recognise a repeated one. */
export const PARTITION_IN_FLIGHT_MAX = 5
