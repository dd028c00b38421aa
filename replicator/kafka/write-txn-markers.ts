import { type Connection, createAPI, type Reader, Writer } from '@platformatic/kafka'

/** One marker, to partitions that one broker leads. */
export interface WriteTxnMarkers {
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly commit: boolean
  readonly coordinatorEpoch: number
  readonly topics: readonly { readonly name: string; readonly partitions: readonly number[] }[]
}

export interface WriteTxnMarkersResponse {
  /** The protocol has none: brokers do not throttle each other. */
  readonly throttleTimeMs: 0
  readonly topics: readonly {
    readonly name: string
    readonly partitions: readonly { readonly partitionIndex: number; readonly errorCode: number }[]
  }[]
}

/** WriteTxnMarkers 1 (protocol guide); the wire library, which is for clients, leaves out this request of brokers. */
const api = createAPI<[WriteTxnMarkers], WriteTxnMarkersResponse>(27, 1, createRequest, parseResponse)

export async function sendWriteTxnMarkers(
  connection: Connection,
  request: WriteTxnMarkers,
): Promise<WriteTxnMarkersResponse> {
  return await api.async(connection, request)
}

function createRequest(request: WriteTxnMarkers): Writer {
  return Writer.create()
    .appendArray([request], (marker, { producerId, producerEpoch, commit, topics, coordinatorEpoch }) => {
      marker
        .appendInt64(producerId)
        .appendInt16(producerEpoch)
        .appendBoolean(commit)
        .appendArray([...topics], (topic, { name, partitions }) => {
          topic
            .appendString(name)
            .appendArray([...partitions], (each, partition) => each.appendInt32(partition), true, false)
        })
        .appendInt32(coordinatorEpoch)
    })
    .appendTaggedFields()
}

function parseResponse(
  _correlationId: number,
  _apiKey: number,
  _apiVersion: number,
  reader: Reader,
): WriteTxnMarkersResponse {
  const markers = reader.readArray((marker) => {
    marker.readInt64()
    return marker.readArray((topic) => ({
      name: topic.readString(),
      partitions: topic.readArray((partition) => ({
        partitionIndex: partition.readInt32(),
        errorCode: partition.readInt16(),
      })),
    }))
  })
  reader.readTaggedFields()
  return { throttleTimeMs: 0, topics: markers.flat() }
}
