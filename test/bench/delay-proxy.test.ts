import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import net from 'node:net'
import { describe, test } from 'node:test'
import { startDelayProxy } from './delay-proxy.ts'

const oneWayDelayMs = 20

/** A server that sends back what it gets and ends when its client ends. */
async function withEcho(
  options: { readonly bytesMax?: number },
  body: (client: net.Socket) => Promise<void>,
): Promise<void> {
  const echo = net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket))
  echo.listen(0, '127.0.0.1')
  await once(echo, 'listening')
  const targetPort = (echo.address() as net.AddressInfo).port
  const proxy = await startDelayProxy({ targetPort, oneWayDelayMs, ...options })
  const client = net.connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true })
  client.setTimeout(20_000, () => client.destroy(new Error('nothing arrived for 20 s')))
  try {
    await body(client)
  } finally {
    client.destroy()
    await proxy.close()
    echo.close()
    await once(echo, 'close')
  }
}

async function readToEnd(client: net.Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of client) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

describe('the delay proxy', () => {
  test('an answer takes at least the round trip', async () => {
    await withEcho({}, async (client) => {
      const startMs = performance.now()
      client.write('ping')
      const [answer] = (await once(client, 'data')) as [Buffer]
      assert.equal(answer.toString(), 'ping')
      // Timers may fire a millisecond early.
      assert.ok(performance.now() - startMs >= 2 * oneWayDelayMs - 2)
    })
  })

  test('many small and large writes arrive complete and in order, then the end', async () => {
    await withEcho({}, async (client) => {
      const sent = Array.from({ length: 400 }, (_, index) =>
        randomBytes(index % 7 === 0 ? 300_000 : 1 + index),
      )
      const received = readToEnd(client)
      for (const chunk of sent) client.write(chunk)
      client.end()
      assert.equal(digest(await received), digest(Buffer.concat(sent)))
    })
  })

  test('a full line holds the sender back and loses nothing', async () => {
    await withEcho({ bytesMax: 64 * 1024 }, async (client) => {
      const sent = randomBytes(3_000_000)
      const received = readToEnd(client)
      client.end(sent)
      assert.equal(digest(await received), digest(sent))
    })
  })

  test('a cut connection is cut on the other side too', async () => {
    const accepted = Promise.withResolvers<net.Socket>()
    const server = net.createServer((socket) => {
      socket.on('error', () => {})
      accepted.resolve(socket)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const proxy = await startDelayProxy({
      targetPort: (server.address() as net.AddressInfo).port,
      oneWayDelayMs,
    })
    const client = net.connect(proxy.port, '127.0.0.1')
    client.on('error', () => {})
    client.resume()
    const brokerSide = await accepted.promise
    const closed = once(client, 'close')
    brokerSide.resetAndDestroy()
    await closed
    await proxy.close()
    server.close()
    await once(server, 'close')
  })
})

function digest(bytes: Buffer): string {
  return `${bytes.length} ${createHash('sha256').update(bytes).digest('hex')}`
}
