/**
 * A TCP proxy on loopback that stands in for a long link: every byte arrives half a round trip later, in both directions.
 * It models distance, not loss and not a narrow pipe; the TCP windows on both sides of it are loopback's.
 */
import { once } from 'node:events'
import net from 'node:net'
import { DelayLine } from './delay-line.ts'

export interface DelayProxyOptions {
  /** Where connections are passed on to, on loopback. */
  readonly targetPort: number
  /** Added in each direction. */
  readonly oneWayDelayMs: number
  /** Memory in flight per connection and direction before the sender is paused; default 128 MiB. */
  readonly bytesMax?: number
  /** Default: a free one. */
  readonly listenPort?: number
}

export interface DelayProxy {
  readonly port: number
  /** Cuts all connections and stops listening. */
  close(): Promise<void>
}

/** The end of the stream travels through the line like bytes do. */
const end = Symbol('end of stream')

const readBytes = 256 * 1024

/** Starts a proxy in this process. @throws Error if the port is taken */
export async function startDelayProxy(options: DelayProxyOptions): Promise<DelayProxy> {
  const sockets = new Set<net.Socket>()
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) =>
    passOn(client, sockets, options),
  )
  server.listen(options.listenPort ?? 0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as net.AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

function passOn(client: net.Socket, sockets: Set<net.Socket>, options: DelayProxyOptions): void {
  const bytesMax = options.bytesMax ?? 128 * 1024 * 1024
  const delayMs = options.oneWayDelayMs
  // Brokers send the bulk: their bytes are read into buffers that go round, instead of a new one per read.
  const free: Buffer[] = []
  let reading: Buffer = Buffer.allocUnsafeSlow(readBytes)
  const toClient = new DelayLine<Buffer | typeof end>({
    delayMs,
    bytesMax,
    deliver: (item) => {
      if (item === end) return client.end() !== undefined
      return client.write(item, () => {
        if (item.buffer.byteLength === readBytes) free.push(Buffer.from(item.buffer))
      })
    },
    onRoom: () => broker.resume(),
  })
  const broker = net.connect({
    host: '127.0.0.1',
    port: options.targetPort,
    noDelay: true,
    allowHalfOpen: true,
    onread: {
      buffer: () => reading,
      callback: (bytes) => {
        const filled = reading.subarray(0, bytes)
        // A short read would hold a whole buffer back for the length of the delay.
        if (bytes < readBytes / 4) return toClient.push(Buffer.from(filled), bytes)
        reading = free.pop() ?? Buffer.allocUnsafeSlow(readBytes)
        return toClient.push(filled, readBytes)
      },
    },
  })
  const toBroker = new DelayLine<Buffer | typeof end>({
    delayMs,
    bytesMax,
    deliver: (item) => (item === end ? broker.end() !== undefined : broker.write(item)),
    onRoom: () => client.resume(),
  })
  client.on('data', (chunk) => {
    if (!toBroker.push(chunk, chunk.length)) client.pause()
  })
  client.on('end', () => toBroker.push(end, 0))
  broker.on('end', () => toClient.push(end, 0))
  client.on('drain', () => toClient.resume())
  broker.on('drain', () => toBroker.resume())
  const cut = () => {
    toClient.destroy()
    toBroker.destroy()
    client.destroy()
    broker.destroy()
  }
  for (const socket of [client, broker]) {
    sockets.add(socket)
    socket.on('error', cut)
    socket.on('close', (failed) => {
      sockets.delete(socket)
      if (failed) cut()
    })
  }
}
