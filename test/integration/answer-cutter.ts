import { once } from 'node:events'
import net from 'node:net'

const produceKey = 0

/**
 * A TCP relay in front of one broker that can lose an answer: the next Produce request with a given topic is passed on,
 * its answer is swallowed, every connection is cut, and nobody gets through until {@link open} is called.
 */
export class AnswerCutter {
  readonly #server: net.Server
  readonly #sockets = new Set<net.Socket>()
  readonly #brokerPort: number
  #armed: string | undefined
  #isClosed = false
  #cut = Promise.withResolvers<void>()

  private constructor(brokerPort: number) {
    this.#brokerPort = brokerPort
    this.#server = net.createServer({ noDelay: true }, (client) => this.#relay(client))
  }

  static async start(listenPort: number, brokerPort: number): Promise<AnswerCutter> {
    const cutter = new AnswerCutter(brokerPort)
    cutter.#server.listen(listenPort, '127.0.0.1')
    await once(cutter.#server, 'listening')
    return cutter
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port
  }

  /** Settles when an answer to this topic's producer was lost and all connections are cut. */
  loseAnswer(topic: string): Promise<void> {
    this.#armed = topic
    this.#cut = Promise.withResolvers()
    return this.#cut.promise
  }

  open(): void {
    this.#isClosed = false
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #relay(client: net.Socket): void {
    if (this.#isClosed) {
      client.on('error', () => {})
      client.destroy()
      return
    }
    const broker = net.connect({ host: '127.0.0.1', port: this.#brokerPort, noDelay: true })
    let pending: Buffer = Buffer.alloc(0)
    let swallows = false
    client.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk])
      for (let end = frameEnd(pending); end !== undefined; end = frameEnd(pending)) {
        const frame = pending.subarray(0, end)
        pending = pending.subarray(end)
        if (this.#armed !== undefined && isProduceTo(frame, this.#armed)) {
          this.#armed = undefined
          swallows = true
        }
        broker.write(frame)
      }
    })
    broker.on('data', (chunk) => {
      if (!swallows) client.write(chunk)
      else if (!this.#isClosed) this.#cutAll()
    })
    for (const socket of [client, broker]) {
      this.#sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#sockets.delete(socket)
        client.destroy()
        broker.destroy()
      })
    }
  }

  #cutAll(): void {
    this.#isClosed = true
    for (const socket of this.#sockets) socket.destroy()
    this.#cut.resolve()
  }
}

/** Internal topics' records name topics too: what counts is the name as a field of the request, behind its length. */
function isProduceTo(frame: Buffer, topic: string): boolean {
  if (frame.readInt16BE(4) !== produceKey) return false
  const name = Buffer.from(topic)
  const at = frame.indexOf(name)
  // Flexible versions say the length plus one as a varint, the others the length in two bytes.
  return at > 0 && [name.length, name.length + 1].includes(frame.readUInt8(at - 1))
}

/** Where the first request of a stream ends, once it is all there. */
function frameEnd(bytes: Buffer): number | undefined {
  if (bytes.length < 4) return undefined
  const end = 4 + bytes.readInt32BE(0)
  return bytes.length >= end ? end : undefined
}
