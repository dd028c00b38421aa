import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { connectionFailure, type FailureScene } from '../../../replicator/kafka/connection-failure.ts'
import { transportError } from '../../../replicator/kafka/errors.ts'
import type { RegionAlias } from '../../../replicator/topology/model.ts'

const scene: FailureScene = {
  place: { cluster: 'us-east' as RegionAlias, address: 'broker:9092', during: 'opening a connection' },
  tls: false,
  sasl: false,
  answered: false,
}

/** Errors as node and the wire library throw them. */
const system = (code: string, message = code) => Object.assign(new Error(message), { code })
const network = (message: string, cause?: unknown) =>
  Object.assign(new Error(message), { code: 'PLT_KFK_NETWORK', cause })
const refusal = (apiId: string, apiCode: number, serverErrorMessage: string | null = null) =>
  network('Connection to broker:9092 failed.', {
    code: 'PLT_KFK_AUTHENTICATION',
    message: 'SASL authentication failed.',
    cause: {
      code: 'PLT_KFK_RESPONSE',
      message: 'Received response with error',
      errors: [{ code: 'PLT_KFK_PROTOCOL', apiId, apiCode, serverErrorMessage, message: 'failed' }],
    },
  })

interface Case {
  readonly name: string
  readonly error: unknown
  readonly scene?: Partial<FailureScene>
  readonly kind: string
  readonly retriable: boolean
  readonly says: RegExp
}

const cases: readonly Case[] = [
  {
    name: 'a port that nothing listens on',
    error: network('failed', system('ECONNREFUSED')),
    kind: 'connection',
    retriable: true,
    says: /nothing listens there.*up and reachable/,
  },
  {
    name: 'a host without an address',
    error: network('failed', system('ENOTFOUND')),
    kind: 'dns',
    retriable: true,
    says: /no address.*Check the host name/,
  },
  {
    name: 'a connection that takes too long',
    error: network('Connection to broker:9092 timed out.'),
    kind: 'timeout',
    retriable: true,
    says: /no connection in time/,
  },
  {
    name: 'an answer that takes too long',
    error: network('Request timed out'),
    scene: { place: { during: 'Metadata' }, answered: true },
    kind: 'timeout',
    retriable: true,
    says: /no answer in time/,
  },
  {
    name: 'a broker that goes away',
    error: network('Connection closed'),
    scene: { answered: true },
    kind: 'connection',
    retriable: true,
    says: /the connection broke/,
  },
  {
    name: 'a connection that is cut before the first answer',
    error: network('Connection closed'),
    kind: 'hangup',
    retriable: true,
    says: /expects TLS or a SASL log-in, and none is configured/,
  },
  {
    name: 'a connection with TLS that is cut before the first answer',
    error: network('Connection closed'),
    scene: { tls: true },
    kind: 'hangup',
    retriable: true,
    says: /expects a SASL log-in, and none/,
  },
  {
    name: 'a wrong password',
    error: refusal('SASL_AUTHENTICATION_FAILED', 58, 'Invalid username or password'),
    scene: { sasl: true },
    kind: 'authentication',
    retriable: false,
    says: /refuses the credentials \(broker: "Invalid username or password"\).*Check user name/,
  },
  {
    name: 'a mechanism that the broker does not offer',
    error: refusal('UNSUPPORTED_SASL_MECHANISM', 33),
    scene: { sasl: true },
    kind: 'authentication',
    retriable: false,
    says: /UNSUPPORTED_SASL_MECHANISM.*sasl\.enabled\.mechanisms/,
  },
  {
    name: 'a log-in on a listener without one',
    error: refusal('ILLEGAL_SASL_STATE', 34),
    scene: { sasl: true },
    kind: 'authentication',
    retriable: false,
    says: /remove the sasl settings/,
  },
  {
    name: 'a log-in that is cut by a broker that goes away',
    error: network('failed', {
      code: 'PLT_KFK_AUTHENTICATION',
      message: 'SASL authentication failed.',
      cause: network('Connection closed'),
    }),
    scene: { sasl: true, tls: true },
    kind: 'hangup',
    retriable: true,
    says: /hung up before it answered/,
  },
  {
    name: 'a server that cannot prove that it knows the password',
    error: network('failed', { code: 'PLT_KFK_AUTHENTICATION', message: 'Invalid server signature.' }),
    scene: { sasl: true },
    kind: 'authentication',
    retriable: false,
    says: /Invalid server signature/,
  },
  {
    name: 'a TLS port without TLS',
    error: { code: 'PLT_KFK_USER', message: 'Broker requires TLS.' },
    kind: 'tls',
    retriable: false,
    says: /speaks TLS and none is configured.*Add tls settings/,
  },
  {
    name: 'a plaintext port with TLS',
    error: network(
      'failed',
      system('ECONNRESET', 'socket disconnected before secure TLS connection was established'),
    ),
    scene: { tls: true },
    kind: 'hangup',
    retriable: true,
    says: /during the TLS handshake.*does not speak TLS/,
  },
  {
    name: 'something else that answers TLS in plain text',
    error: network('failed', system('ERR_SSL_WRONG_VERSION_NUMBER')),
    scene: { tls: true },
    kind: 'tls',
    retriable: false,
    says: /does not speak TLS/,
  },
  {
    name: 'an expired certificate',
    error: network('failed', system('CERT_HAS_EXPIRED')),
    scene: { tls: true },
    kind: 'tls',
    retriable: false,
    says: /has expired.*Renew/,
  },
  {
    name: 'an unknown authority',
    error: network('failed', system('SELF_SIGNED_CERT_IN_CHAIN')),
    scene: { tls: true },
    kind: 'tls',
    retriable: false,
    says: /unknown authority.*as ca/,
  },
  {
    name: 'a certificate for another host',
    error: network('failed', system('ERR_TLS_CERT_ALTNAME_INVALID')),
    scene: { tls: true },
    kind: 'tls',
    retriable: false,
    says: /names another host.*serverName/,
  },
  {
    name: 'a missing client certificate, which the broker tells after the handshake',
    error: new AggregateError([
      network('Connection error', system('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED')),
      network('Connection closed'),
    ]),
    scene: { tls: true },
    kind: 'tls',
    retriable: false,
    says: /refuses our certificate/,
  },
  {
    name: 'an error that is ours already',
    error: network('failed', transportError('token', 'no token to log in with')),
    scene: { sasl: true },
    kind: 'token',
    retriable: true,
    says: /no token to log in with/,
  },
  {
    name: 'anything else',
    error: new Error('surprise'),
    kind: 'connection',
    retriable: true,
    says: /surprise/,
  },
]

describe('connectionFailure', () => {
  for (const { name, error, scene: changes, kind, retriable, says } of cases) {
    test(`explains ${name}`, () => {
      const failure = connectionFailure(error, { ...scene, ...changes })
      assert.equal(failure.kind, kind)
      assert.equal(failure.retriable, retriable)
      assert.match(failure.message, says)
    })
  }

  test('names cluster and address', () => {
    const failure = connectionFailure(network('failed', system('ECONNREFUSED')), scene)
    assert.match(failure.message, /cluster us-east, at broker:9092/)
    assert.equal(failure.address, 'broker:9092')
  })
})
