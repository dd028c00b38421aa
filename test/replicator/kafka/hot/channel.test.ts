import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { isRetriable } from '../../../../replicator/kafka/errors.ts'
import { Secret } from '../../../../replicator/kafka/secret.ts'
import { failure, fetch, kafkaFailure, produceOf, setting, settle, topicId } from './channel-setting.ts'
import { type FakeBrokerOptions, fetchAnswer, produceAnswer } from './fake-broker.ts'

describe('a hot channel', () => {
  test('speaks the newest version that both know, however the bytes come', async () => {
    for (const [newest, chunkBytes] of [
      [13, 1],
      [16, 7],
      [18, 100_000],
    ] as const) {
      const { broker, open, pool } = await setting({
        offered: [
          [0, 3, 9],
          [1, 4, newest],
        ],
        chunkBytes,
      })
      const channel = await open()
      const fetching = channel.fetch(fetch)
      const producing = channel.produce(produceOf('batch'))
      const [first, second] = await broker.seen(2)
      assert.deepEqual([first!.api, first!.version], [1, Math.min(16, newest)])
      assert.deepEqual([second!.api, second!.version], [0, 9])
      assert(second!.body.includes('batch'))
      first!.answer(fetchAnswer(topicId, Buffer.from('r'.repeat(5000))))
      second!.answer(produceAnswer('orders'))
      const { frame, partitions } = await fetching
      assert.equal(partitions[0]?.records.toString(), 'r'.repeat(5000))
      frame.release()
      assert(pool.idleBytes > 0)
      const { results } = await producing
      assert(results[0]?.result.ok && results[0].result.value.baseOffset === 5n)
    }
  })

  test('a broker without a common version is refused with both ranges', async () => {
    const { open, broker } = await setting({
      offered: [
        [0, 0, 8],
        [1, 4, 16],
      ],
    })
    const error = await kafkaFailure(open())
    assert.equal(error.kind, 'unsupported-version')
    assert.match(error.message, /Produce v0 to v8.*v9 to v11/)
    await settle()
    assert.equal(broker.connections, 0, 'the connection is not left open')
  })

  test('a broken connection fails every pending request with a retriable error, and later ones too', async () => {
    const { broker, open } = await setting()
    const channel = await open()
    const pending = [kafkaFailure(channel.fetch(fetch)), kafkaFailure(channel.produce(produceOf('a')))]
    await broker.seen(2)
    broker.hangUp()
    for (const error of await Promise.all(pending)) {
      assert(isRetriable(error))
      assert.match(error.message, /us-east.*broker 7/)
    }
    await channel.closed
    assert(isRetriable(await kafkaFailure(channel.produce(produceOf('b')))))
  })

  test('half an answer gives its frame back', async () => {
    const { broker, open, pool } = await setting()
    const channel = await open()
    const pending = kafkaFailure(channel.fetch(fetch))
    await broker.seen(1)
    const head = Buffer.alloc(40)
    head.writeInt32BE(100_000, 0)
    // ApiVersions was request 1.
    head.writeInt32BE(2, 4)
    broker.say(head)
    await settle()
    broker.hangUp()
    await pending
    assert(pool.idleBytes >= 100_000)
  })

  test('no answer in time cuts the connection', async () => {
    const { broker, clock, open } = await setting()
    const channel = await open()
    const pending = kafkaFailure(channel.produce(produceOf('a')))
    await broker.seen(1)
    await clock.advance(20_900)
    assert.equal(broker.connections, 1, 'the broker has its own time on top')
    await clock.advance(2000)
    const error = await pending
    assert.equal(error.kind, 'timeout')
    assert(isRetriable(error))
    await channel.closed
  })

  test('nonsense ends the connection with an error that says so', async () => {
    for (const nonsense of [
      Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
      Buffer.from('000000080000ffff00000000', 'hex'),
    ]) {
      const { broker, open } = await setting()
      const channel = await open()
      const pending = kafkaFailure(channel.fetch(fetch))
      await broker.seen(1)
      broker.say(nonsense)
      const error = await pending
      assert.equal(error.kind, 'malformed')
      await channel.closed
    }
  })

  test('an answer that cannot be read fails its request, ends the connection and gives the frame back', async () => {
    const { broker, open, pool } = await setting()
    const channel = await open()
    const pending = kafkaFailure(channel.fetch(fetch))
    const [request] = await broker.seen(1)
    request!.answer(fetchAnswer(topicId, Buffer.from('records')).subarray(0, 60))
    assert.equal((await pending).kind, 'malformed')
    await channel.closed
    assert(pool.idleBytes > 0)
  })

  test('closing lets pending requests end', async () => {
    const { broker, open } = await setting()
    const channel = await open()
    const producing = channel.produce(produceOf('a'))
    const [request] = await broker.seen(1)
    const closing = Promise.all([channel.close(), channel.close()])
    await settle()
    assert.equal(broker.connections, 1)
    request!.answer(produceAnswer('orders'))
    await Promise.all([producing, closing, channel.closed])
  })
})

describe('a hot channel to a broker that throttles', () => {
  test('waits before its next requests, which keep their order', async () => {
    const { broker, clock, open } = await setting()
    const channel = await open()
    const first = channel.produce(produceOf('first'))
    const [request] = await broker.seen(1)
    request!.answer(produceAnswer('orders', 5000))
    await first
    const given = new AbortController()
    const second = channel.produce(produceOf('second'), new AbortController().signal)
    const third = failure(channel.produce(produceOf('third'), given.signal))
    const fourth = channel.fetch(fetch)
    const fifth = channel.produce(produceOf('fifth'))
    const reason = new Error('given up')
    given.abort(reason)
    assert.equal(await third, reason, 'giving up does not wait')
    await settle()
    await clock.advance(4900)
    assert.equal(broker.requests.length, 1, 'the broker is left in peace')
    await clock.advance(100)
    const seen = await broker.seen(4)
    assert(seen[1]!.body.includes('second'))
    assert.equal(seen[2]!.api, 1)
    assert(seen[3]!.body.includes('fifth'))
    seen[1]!.answer(produceAnswer('orders'))
    seen[2]!.answer(fetchAnswer(topicId, Buffer.alloc(0)))
    seen[3]!.answer(produceAnswer('orders'))
    const [, { frame }] = await Promise.all([second, fourth, fifth])
    frame.release()
    const sixth = channel.produce(produceOf('sixth'))
    const [, , , , last] = await broker.seen(5)
    last!.answer(produceAnswer('orders'))
    await sixth
  })

  test('the longest of several waits counts', async () => {
    const { broker, clock, open } = await setting()
    const channel = await open()
    const pending = [channel.produce(produceOf('a')), channel.produce(produceOf('b'))]
    const [first, second] = await broker.seen(2)
    first!.answer(produceAnswer('orders', 3000))
    second!.answer(produceAnswer('orders', 1000))
    await Promise.all(pending)
    const third = channel.produce(produceOf('c'))
    await settle()
    await clock.advance(2900)
    assert.equal(broker.requests.length, 2)
    await clock.advance(200)
    const [, , last] = await broker.seen(3)
    last!.answer(produceAnswer('orders'))
    await third
  })

  test('requests that wait fail at once when the connection breaks', async () => {
    const { broker, open } = await setting()
    const channel = await open()
    const first = channel.produce(produceOf('a'))
    const [request] = await broker.seen(1)
    request!.answer(produceAnswer('orders', 60_000))
    await first
    const waiting = kafkaFailure(channel.produce(produceOf('b')))
    broker.hangUp()
    assert(isRetriable(await waiting))
  })
})

describe('giving up', () => {
  test('a request cuts the connection; the others may be tried again', async () => {
    const { broker, open } = await setting()
    const channel = await open()
    const given = new AbortController()
    const first = failure(channel.fetch(fetch, given.signal))
    const second = kafkaFailure(channel.produce(produceOf('a')))
    await broker.seen(2)
    const reason = new Error('given up')
    given.abort(reason)
    assert.equal(await first, reason)
    assert(isRetriable(await second))
    await channel.closed
    assert.equal(await failure(channel.fetch(fetch, AbortSignal.abort(reason))), reason)
  })

  test('opening ends with the signal’s reason, and leaves no connection', async () => {
    const { broker, open } = await setting({ isSilent: true })
    const controller = new AbortController()
    const opening = failure(open({}, controller.signal))
    while (broker.connections === 0) await turn()
    const reason = new Error('given up')
    controller.abort(reason)
    assert.equal(await opening, reason)
    while (broker.connections > 0) await turn()
    assert.equal(await failure(open({}, AbortSignal.abort(reason))), reason)
  })

  test('opening takes no longer than it may', async () => {
    const { broker, clock, open } = await setting({ isSilent: true })
    const opening = kafkaFailure(open({ connectTimeoutMs: 3000 }))
    while (broker.connections === 0) await turn()
    await clock.advance(3000)
    const error = await opening
    assert.equal(error.kind, 'timeout')
    assert(isRetriable(error))
  })
})

/** Answers of SaslHandshake v1 and SaslAuthenticate v2. */
const saslBroker = (sessionMs: bigint): FakeBrokerOptions => ({
  offered: [
    [0, 9, 11],
    [1, 12, 16],
    [17, 0, 1],
    [36, 0, 2],
  ],
  onRequest: ({ api, answer }) => {
    // No error, one mechanism.
    if (api === 17)
      answer(Buffer.from(`000000000001000b${Buffer.from('OAUTHBEARER').toString('hex')}`, 'hex'))
    if (api === 36) {
      const body = Buffer.alloc(13)
      body.writeUInt8(0, 2)
      body.writeUInt8(1, 3)
      body.writeBigInt64BE(sessionMs, 4)
      answer(body)
    }
  },
})

describe('logging in', () => {
  test('a token that cannot be had is worth another try, and is no refused log-in', async () => {
    const { open } = await setting(saslBroker(0n))
    const token = () => Promise.reject(new Error('the identity provider is away'))
    const error = await kafkaFailure(open({ sasl: { mechanism: 'oauthbearer', token } }))
    assert.equal(error.kind, 'token')
    assert(isRetriable(error))
  })

  test('whoever never gives a token does not hold up opening for ever', async () => {
    const { broker, clock, open } = await setting(saslBroker(0n))
    let isAsked = false
    const token = () => {
      isAsked = true
      return new Promise<Secret>(() => {})
    }
    const opening = kafkaFailure(open({ sasl: { mechanism: 'oauthbearer', token } }))
    while (!isAsked) await turn()
    await clock.advance(10_000)
    assert.equal((await opening).kind, 'timeout')
    while (broker.connections > 0) await turn()
  })

  test('a session that comes to its end takes no more requests: open another', async () => {
    const { clock, open } = await setting(saslBroker(10_000n))
    const channel = await open({ sasl: { mechanism: 'oauthbearer', token: async () => new Secret('x') } })
    await clock.advance(7900)
    const inTime = kafkaFailure(channel.fetch(fetch))
    await clock.advance(200)
    const late = await kafkaFailure(channel.fetch(fetch))
    assert(isRetriable(late))
    assert.match(late.message, /session/)
    channel.destroy()
    await inTime
  })
})
