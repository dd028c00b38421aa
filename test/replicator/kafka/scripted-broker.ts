import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { Writer } from '@platformatic/kafka'
import type { Clock } from '../../../replicator/clock/clock.ts'

/** Bytes of one request, after its header. */
export interface ScriptedRequest {
  readonly key: number
  readonly version: number
  readonly body: Buffer
}

/** The body of an answer, a cut connection, or no answer at all. */
export type ScriptedAnswer = Writer | 'hang up' | 'silence'

export const keys = { listOffsets: 2, metadata: 3, apiVersions: 18, createTopics: 19, createPartitions: 37 }

/** A broker that says what a test wants to hear. Speaks flexible versions only. */
export class ScriptedBroker {
  readonly received: ScriptedRequest[] = []
  readonly #server: Server
  #port = 0
  readonly #sockets = new Set<Socket>()
  readonly #script: (request: ScriptedRequest) => ScriptedAnswer

  private constructor(script: (request: ScriptedRequest) => ScriptedAnswer) {
    this.#script = script
    this.#server = createServer((socket) => this.#serve(socket))
  }

  static async start(script: (request: ScriptedRequest) => ScriptedAnswer): Promise<ScriptedBroker> {
    const broker = new ScriptedBroker(script)
    broker.#server.listen(0, '127.0.0.1')
    await once(broker.#server, 'listening')
    const address = broker.#server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    broker.#port = address.port
    return broker
  }

  /** Stays the same when the broker has stopped. */
  get port(): number {
    return this.#port
  }

  /** Requests of one kind, in order. */
  heard(key: number): readonly ScriptedRequest[] {
    return this.received.filter((request) => request.key === key)
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#sockets.size
  }

  /** Idempotent. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #serve(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on('close', () => this.#sockets.delete(socket))
    socket.on('error', () => {})
    let pending = Buffer.alloc(0)
    socket.on('data', (chunk) => {
      pending = Buffer.concat([pending, chunk])
      while (pending.length >= 4 && pending.length >= 4 + pending.readInt32BE(0)) {
        const end = 4 + pending.readInt32BE(0)
        this.#answer(socket, pending.subarray(4, end))
        pending = pending.subarray(end)
      }
    })
  }

  #answer(socket: Socket, frame: Buffer): void {
    const [key, version, correlationId] = [frame.readInt16BE(0), frame.readInt16BE(2), frame.readInt32BE(4)]
    const request = { key, version, body: frame.subarray(10 + frame.readInt16BE(8) + 1) }
    this.received.push(request)
    const answer = this.#script(request)
    if (answer === 'hang up') return void socket.destroy()
    if (answer === 'silence') return
    const framed = Writer.create().appendInt32(correlationId)
    // ApiVersions keeps the old response header, so that clients can read it whatever they speak.
    if (key !== keys.apiVersions) framed.appendTaggedFields()
    socket.write(framed.appendFrom(answer).prependLength().buffer)
  }
}

/** What a broker offers, by api key; default: the versions that the answers below are written for. */
export function apiVersionsAnswer(ranges: Readonly<Record<number, readonly [number, number]>> = {}): Writer {
  const offered = { 2: [6, 9], 3: [12, 12], 19: [7, 7], 37: [3, 3], 18: [0, 3], ...ranges }
  return Writer.create()
    .appendInt16(0)
    .appendArray(Object.entries(offered), (writer, [key, [min, max]]) => {
      writer
        .appendInt16(Number(key))
        .appendInt16(min ?? 0)
        .appendInt16(max ?? 0)
    })
    .appendInt32(0)
    .appendTaggedFields()
}

export interface ScriptedMetadata {
  readonly ports: Readonly<Record<number, number>>
  readonly controller?: number
  readonly throttleMs?: number
  /** Leaders of each topic's partitions. */
  readonly topics?: Readonly<Record<string, readonly number[]>>
}

/** Metadata, version 12. */
export function metadataAnswer({ ports, controller, throttleMs, topics }: ScriptedMetadata): Writer {
  return Writer.create()
    .appendInt32(throttleMs ?? 0)
    .appendArray(Object.entries(ports), (writer, [id, port]) => {
      writer.appendInt32(Number(id)).appendString('127.0.0.1').appendInt32(port).appendString(null)
    })
    .appendString('scripted')
    .appendInt32(controller ?? Number(Object.keys(ports)[0] ?? -1))
    .appendArray(Object.entries(topics ?? {}), (writer, [name, leaders]) => {
      writer
        .appendInt16(0)
        .appendString(name)
        .appendUUID('00000000-0000-0000-0000-000000000001')
        .appendBoolean(false)
        .appendArray([...leaders], (inner, leader, index) => {
          inner.appendInt16(0).appendInt32(index).appendInt32(leader).appendInt32(1)
          for (let list = 0; list < 3; list++) inner.appendArray([], () => {}, true, false)
        })
        .appendInt32(0)
    })
    .appendTaggedFields()
}

/** CreateTopics 7 and CreatePartitions 3, about one topic. */
export function createTopicsAnswer(name: string, code: number): Writer {
  return Writer.create()
    .appendInt32(0)
    .appendArray([name], (writer) => {
      writer.appendString(name).appendUUID(null).appendInt16(code).appendString(null)
      writer
        .appendInt32(1)
        .appendInt16(1)
        .appendArray([], () => {})
    })
    .appendTaggedFields()
}

export function createPartitionsAnswer(name: string, code: number): Writer {
  return Writer.create()
    .appendInt32(0)
    .appendArray([name], (writer) => {
      writer.appendString(name).appendInt16(code).appendString(null)
    })
    .appendTaggedFields()
}

/** ListOffsets, version 6 to 9, about partition 0 of one topic. */
export function listOffsetsAnswer(name: string, code: number, offset: bigint): Writer {
  return Writer.create()
    .appendInt32(0)
    .appendArray([name], (writer) => {
      writer.appendString(name).appendArray([0], (inner) => {
        inner.appendInt32(0).appendInt16(code).appendInt64(-1n).appendInt64(offset).appendInt32(1)
      })
    })
    .appendTaggedFields()
}

/** Real sockets, but nobody waits: short sleeps end at once, and deadlines are not reached. */
export class HastyClock implements Clock {
  #nowMs = 0
  readonly slept: number[] = []

  wallMs(): number {
    return this.#nowMs
  }

  monotonicMs(): number {
    return this.#nowMs
  }

  async sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted()
    if (ms >= 30_000) {
      await new Promise((_resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
      })
    }
    this.slept.push(ms)
    this.#nowMs += ms
  }
}
