import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { connectionOptions, tlsOptions, tokenRefusal } from '../../../replicator/kafka/connection-options.ts'
import { KafkaError } from '../../../replicator/kafka/errors.ts'
import { Secret } from '../../../replicator/kafka/secret.ts'
import type { ConnectionSettings, SaslSettings } from '../../../replicator/kafka/settings.ts'

const base: ConnectionSettings = { bootstrap: ['broker:9092'], clientId: 'test' }
const sasl = (
  mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512',
  password = 'hunter2',
): SaslSettings => ({
  mechanism,
  username: 'causeway',
  password: new Secret(password),
})

describe('connectionOptions', () => {
  test('without TLS and SASL there is neither, and limits have defaults', () => {
    assert.deepEqual(connectionOptions(base, 'broker'), { connectTimeout: 10_000, requestTimeout: 30_000 })
  })

  test('limits are taken over', () => {
    const options = connectionOptions({ ...base, connectTimeoutMs: 1, requestTimeoutMs: 2 }, 'broker')
    assert.deepEqual(options, { connectTimeout: 1, requestTimeout: 2 })
  })

  for (const [mechanism, name] of [
    ['plain', 'PLAIN'],
    ['scram-sha-256', 'SCRAM-SHA-256'],
    ['scram-sha-512', 'SCRAM-SHA-512'],
  ] as const) {
    test(`${mechanism} becomes ${name}, with user name and password`, () => {
      const options = connectionOptions({ ...base, sasl: sasl(mechanism) }, 'broker').sasl
      assert.equal(options?.mechanism, name)
      assert.ok(typeof options.username === 'function' && typeof options.password === 'function')
      assert.equal(options.username(), 'causeway')
      assert.equal(options.password(), 'hunter2')
    })
  }

  test('a token is asked for at each log-in', async () => {
    let calls = 0
    const token = async () => new Secret(`token ${++calls}`)
    const settings = { ...base, sasl: { mechanism: 'oauthbearer' as const, token, extensions: { a: 'b' } } }
    const options = connectionOptions(settings, 'broker').sasl
    assert.equal(calls, 0)
    assert.equal(options?.mechanism, 'OAUTHBEARER')
    assert.ok(typeof options.token === 'function' && typeof options.oauthBearerExtensions === 'function')
    assert.equal(await options.token(), 'token 1')
    assert.equal(await options.token(), 'token 2')
    assert.deepEqual(options.oauthBearerExtensions(), { a: 'b' })
  })

  test('a token that cannot be had is a retriable error of its own kind', async () => {
    const token = () => Promise.reject(new Error('no metadata service'))
    const options = connectionOptions({ ...base, sasl: { mechanism: 'oauthbearer', token } }, 'broker').sasl
    assert.ok(typeof options?.token === 'function')
    await assert.rejects(Promise.resolve(options.token()), (error) => {
      assert.ok(error instanceof KafkaError)
      assert.equal(error.kind, 'token')
      assert.equal(error.retriable, true)
      assert.match(error.message, /no metadata service/)
      return true
    })
  })

  test('never shows secrets, whichever they are', () => {
    const secret = fc.string({ minLength: 12, unit: 'grapheme-ascii' }).map((text) => `${text}zq`)
    fc.assert(
      fc.property(secret, (password) => {
        const options = connectionOptions({ ...base, sasl: sasl('plain', password), tls: {} }, 'broker')
        for (const text of [
          inspect(options, { depth: 10, showHidden: true }),
          JSON.stringify(options),
          String(options),
        ]) {
          assert.ok(!text.includes(password))
        }
      }),
      { numRuns: 20 },
    )
  })
})

describe('tlsOptions', () => {
  test('asks for the host by SNI, but not for addresses, which SNI cannot carry', () => {
    assert.equal(tlsOptions({}, 'broker.example').servername, 'broker.example')
    assert.equal(tlsOptions({}, '10.0.0.1').servername, undefined)
    assert.equal(tlsOptions({}, '::1').servername, undefined)
    assert.equal(connectionOptions({ ...base, tls: {} }, '10.0.0.1').tlsServerName, undefined)
    assert.equal(connectionOptions({ ...base, tls: {} }, 'broker.example').tlsServerName, 'broker.example')
  })

  test('serverName replaces the host in SNI and verification', () => {
    assert.equal(tlsOptions({ serverName: 'kafka.example' }, '10.0.0.1').servername, 'kafka.example')
    const byAddress = tlsOptions({ serverName: '10.0.0.9' }, 'broker.example')
    assert.equal(byAddress.servername, undefined)
    const certificate = { subject: {}, subjectaltname: 'IP Address:10.0.0.9' }
    assert.equal(byAddress.checkServerIdentity?.('broker.example', certificate as never), undefined)
  })

  test('a key that cannot be read is a clear error without the key in it', () => {
    const key = 'PRIVATE-BUT-BROKEN'
    assert.throws(
      () => tlsOptions({ certificate: 'broken', key: new Secret(key) }, 'broker'),
      (error) => {
        assert.ok(error instanceof KafkaError)
        assert.equal(error.kind, 'tls')
        assert.ok(!inspect(error, { depth: 10 }).includes(key))
        assert.match(error.message, /PEM/)
        return true
      },
    )
  })
})

describe('tokenRefusal', () => {
  test('a log-in that the broker answers with a JSON text has failed', () => {
    assert.equal(tokenRefusal(Buffer.alloc(0)), undefined)
    const refusal = tokenRefusal(Buffer.from('{"status":"invalid_token"}'))
    assert.equal(refusal?.kind, 'authentication')
    assert.match(refusal.message, /invalid_token/)
  })
})
