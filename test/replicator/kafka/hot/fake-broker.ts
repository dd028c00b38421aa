import net from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import tls from 'node:tls'
import { ByteBuilder } from '../../../../replicator/kafka/hot/byte-builder.ts'

export interface SeenRequest {
  readonly api: number
  readonly version: number
  readonly body: Buffer
  /** Sends the answer's body; at most once. */
  readonly answer: (body: Buffer) => void
}

const apiVersions = 18

/** Offered when a test does not say otherwise: what a Kafka 4.3 broker offers. */
const offeredByDefault = [
  [0, 0, 13],
  [1, 4, 18],
] as const

export interface FakeBrokerOptions {
  /** API key, oldest and newest version. */
  readonly offered?: readonly (readonly [number, number, number])[]
  /** Largest piece that is written at once; default all. */
  readonly chunkBytes?: number
  /** Accepts connections and never answers. */
  readonly isSilent?: boolean
  /** Speaks TLS with this certificate; `clientAuthority`: and wants one of this authority from clients. */
  readonly tls?: { readonly certificate: string; readonly key: string; readonly clientAuthority?: string }
  /** Every request but ApiVersions. Default: they pile up in `requests`. */
  readonly onRequest?: (request: SeenRequest) => void
}

/** A TCP server on loopback that takes requests apart and lets a test answer them. */
export class FakeBroker {
  readonly requests: SeenRequest[] = []
  readonly #options: FakeBrokerOptions
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()

  private constructor(options: FakeBrokerOptions) {
    this.#options = options
    const serve = (socket: net.Socket) => this.#serve(socket)
    const { tls: secure } = options
    if (secure === undefined) {
      this.#server = net.createServer(serve)
      return
    }
    const { certificate: cert, key, clientAuthority } = secure
    const client = clientAuthority === undefined ? {} : { ca: clientAuthority, requestCert: true }
    this.#server = tls.createServer({ cert, key, ...client }, serve)
    this.#server.on('tlsClientError', () => {})
  }

  static async start(options: FakeBrokerOptions = {}): Promise<FakeBroker> {
    const broker = new FakeBroker(options)
    await new Promise<void>((resolve) => broker.#server.listen(0, '127.0.0.1', resolve))
    return broker
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  get connections(): number {
    return this.#sockets.size
  }

  /** Waits until so many requests have come. */
  async seen(count: number): Promise<readonly SeenRequest[]> {
    while (this.requests.length < count) await turn()
    return this.requests
  }

  /** Bytes to every client that nobody asked for. */
  say(bytes: Buffer): void {
    for (const socket of this.#sockets) socket.write(bytes)
  }

  /** Cuts every connection with a reset. */
  hangUp(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy()
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #serve(socket: net.Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    let received = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
        const end = 4 + received.readInt32BE(0)
        if (this.#options.isSilent !== true) this.#take(socket, received.subarray(4, end))
        received = received.subarray(end)
      }
    })
  }

  #take(socket: net.Socket, request: Buffer): void {
    const [api, version, correlationId] = [
      request.readInt16BE(0),
      request.readInt16BE(2),
      request.readInt32BE(4),
    ]
    // Header: key, version, correlation id, client id; v2 adds tagged fields. SaslHandshake has no v2.
    const isFlexible = api !== 17
    const bodyAt = 10 + Math.max(0, request.readInt16BE(8)) + (isFlexible ? 1 : 0)
    const hasTags = isFlexible && api !== apiVersions
    const answer = (body: Buffer) => {
      const head = Buffer.alloc(hasTags ? 9 : 8)
      head.writeInt32BE(head.length - 4 + body.length, 0)
      head.writeInt32BE(correlationId, 4)
      this.#write(socket, Buffer.concat([head, body]))
    }
    if (api === apiVersions) {
      answer(this.#versions())
      return
    }
    const seen = { api, version, body: Buffer.from(request.subarray(bodyAt)), answer }
    if (this.#options.onRequest !== undefined) this.#options.onRequest(seen)
    else this.requests.push(seen)
  }

  #write(socket: net.Socket, bytes: Buffer): void {
    const { chunkBytes = bytes.length } = this.#options
    for (let at = 0; at < bytes.length; at += chunkBytes) socket.write(bytes.subarray(at, at + chunkBytes))
  }

  #versions(): Buffer {
    const { offered = offeredByDefault } = this.#options
    const out = new ByteBuilder(64).int16(0).uvarint(offered.length + 1)
    for (const [key, min, max] of offered) out.int16(key).int16(min).int16(max).noTags()
    return out.int32(0).noTags().view()
  }
}

/** A Fetch answer with one empty partition of the topic with this id, which v13 and later name. */
export function fetchAnswer(topicId: string, records: Buffer, throttleMs = 0): Buffer {
  const out = new ByteBuilder(128 + records.length)
  out.int32(throttleMs).int16(0).int32(0).uvarint(2).uuid(topicId).uvarint(2)
  out
    .int32(0)
    .int16(0)
    .int64(9n)
    .int64(9n)
    .int64(0n)
    .uvarint(1)
    .int32(-1)
    .uvarint(records.length + 1)
  for (const byte of records) out.int8((byte << 24) >> 24)
  return out.noTags().noTags().noTags().view()
}

/** A Produce answer for one partition. */
export function produceAnswer(topic: string, throttleMs = 0): Buffer {
  const out = new ByteBuilder(128).uvarint(2).string(topic).uvarint(2)
  out.int32(0).int16(0).int64(5n).int64(-1n).int64(0n).uvarint(1).uvarint(0).noTags()
  return out.noTags().int32(throttleMs).noTags().view()
}
