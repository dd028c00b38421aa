import { connect } from 'node:net'

/** What a broker answered for one partition, its record batches untouched. */
export interface RawPartition {
  readonly highWatermark: bigint
  readonly aborted: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[]
  readonly records: Buffer
}

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const int64 = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8)
  bytes.writeBigInt64BE(value)
  return bytes
}
const string = (value: string): Buffer => Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)])

const fetchRequest = (topic: string, offset: bigint, isolation: 0 | 1): Buffer => {
  const head = [int16(1), int16(10), int32(1), string('golden')]
  const limits = [
    int32(-1),
    int32(500),
    int32(1),
    int32(1 << 20),
    Buffer.from([isolation]),
    int32(0),
    int32(-1),
  ]
  const partition = [int32(0), int32(-1), int64(offset), int64(-1n), int32(1 << 20)]
  const body = Buffer.concat([...head, ...limits, int32(1), string(topic), int32(1), ...partition, int32(0)])
  return Buffer.concat([int32(body.length), body])
}

const parseAnswer = (frame: Buffer, topic: string): RawPartition => {
  let at = 4 + 4
  if (frame.readInt16BE(at) !== 0)
    throw new Error(`Fetch of ${topic} failed with error ${frame.readInt16BE(at)}`)
  at += 2 + 4 + 4
  at += 2 + frame.readInt16BE(at) + 4 + 4
  if (frame.readInt16BE(at) !== 0) throw new Error(`Fetch of ${topic}-0: error ${frame.readInt16BE(at)}`)
  const highWatermark = frame.readBigInt64BE(at + 2)
  at += 2 + 8 + 8 + 8
  const aborted = Array.from({ length: Math.max(0, frame.readInt32BE(at)) }, (_, i) => ({
    producerId: frame.readBigInt64BE(at + 4 + 16 * i),
    firstOffset: frame.readBigInt64BE(at + 12 + 16 * i),
  }))
  at += 4 + 16 * aborted.length
  const bytes = Math.max(0, frame.readInt32BE(at))
  return { highWatermark, aborted, records: frame.subarray(at + 4, at + 4 + bytes) }
}

/** One Fetch request (version 10, the last without a session we would have to keep) for partition 0 of `topic`. */
export const fetchRaw = (
  bootstrap: string,
  topic: string,
  { offset = 0n, isolation = 0 }: { readonly offset?: bigint; readonly isolation?: 0 | 1 } = {},
): Promise<RawPartition> =>
  new Promise((resolve, reject) => {
    const [host, port] = bootstrap.split(':')
    const socket = connect(Number(port), host)
    let received = Buffer.alloc(0)
    socket.on('error', reject)
    socket.on('connect', () => socket.write(fetchRequest(topic, offset, isolation)))
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return
      socket.destroy()
      try {
        resolve(parseAnswer(received.subarray(4), topic))
      } catch (error) {
        reject(error)
      }
    })
  })
