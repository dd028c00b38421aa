import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { before, describe, test } from 'node:test'
import { inspect } from 'node:util'
import { systemRandom } from '../../replicator/clock/random.ts'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import type { ClusterDescription } from '../../replicator/kafka/cluster.ts'
import { KafkaError } from '../../replicator/kafka/errors.ts'
import { createKafkaCluster } from '../../replicator/kafka/kafka-cluster.ts'
import { Secret } from '../../replicator/kafka/secret.ts'
import type { ConnectionSettings, SaslSettings } from '../../replicator/kafka/settings.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'

interface Credentials {
  readonly bootstrap: string | readonly string[]
  readonly username: string
  readonly password: string
  readonly caFile: string
}

let credentials: Credentials
let ca: string

before(async () => {
  const path = process.env.CAUSEWAY_TEST_SECURE
  if (!path) throw new Error('CAUSEWAY_TEST_SECURE is not set: run these tests with npm test')
  credentials = JSON.parse(await readFile(path, 'utf8')) as Credentials
  ca = await readFile(credentials.caFile, 'utf8')
})

type Security = Pick<ConnectionSettings, 'tls' | 'sasl'>

async function logIn(security: Security): Promise<ClusterDescription> {
  const cluster = createKafkaCluster({
    alias: regionAlias('us-east'),
    settings: { bootstrap: [credentials.bootstrap].flat(), clientId: 'causeway-test', ...security },
    clock: systemClock,
    random: systemRandom,
    deadlineMs: 20_000,
  })
  try {
    return await cluster.describeCluster()
  } finally {
    await cluster.close()
  }
}

const sasl = (mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512', password?: string): SaslSettings => ({
  mechanism,
  username: credentials.username,
  password: new Secret(password ?? credentials.password),
})

/** An unsecured token (RFC 7519, section 6) of the kind that Kafka's own test validator takes. */
function unsecuredToken(subject: string): Secret {
  const nowS = Math.floor(systemClock.wallMs() / 1000)
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  return new Secret(`${part({ alg: 'none' })}.${part({ sub: subject, iat: nowS - 1, exp: nowS + 600 })}.`)
}

describe('logging in to a secured cluster', () => {
  for (const mechanism of ['scram-sha-512', 'scram-sha-256', 'plain'] as const) {
    test(`with ${mechanism}`, async () => {
      const description = await logIn({ tls: { ca }, sasl: sasl(mechanism) })
      assert.ok(description.brokers.length > 0)
    })

    test(`with ${mechanism} and a wrong password`, async () => {
      await assert.rejects(logIn({ tls: { ca }, sasl: sasl(mechanism, 'wrong-hunter2') }), (error) => {
        assert.ok(error instanceof KafkaError)
        assert.equal(error.kind, 'authentication')
        assert.equal(error.retriable, false)
        assert.match(error.message, /cluster us-east, at .*refuses the credentials.*Check user name/)
        assert.ok(!inspect(error, { depth: 10, showHidden: true }).includes('wrong-hunter2'))
        return true
      })
    })
  }

  test('with a token, asked for once per log-in', async () => {
    let asked = 0
    const token = async () => {
      asked++
      return unsecuredToken(credentials.username)
    }
    const description = await logIn({ tls: { ca }, sasl: { mechanism: 'oauthbearer', token } })
    assert.ok(description.brokers.length > 0)
    assert.ok(asked >= 1)
  })

  test('with a token that the broker refuses', async () => {
    const token = async () => new Secret('not-a-token')
    await assert.rejects(logIn({ tls: { ca }, sasl: { mechanism: 'oauthbearer', token } }), {
      kind: 'authentication',
      message: /refuses the token/,
    })
  })

  test('without trusting its authority', async () => {
    await assert.rejects(logIn({ tls: {}, sasl: sasl('scram-sha-512') }), {
      kind: 'tls',
      retriable: false,
      message: /unknown authority.*as ca/,
    })
  })

  test('with another name than its certificate has', async () => {
    const tls = { ca, serverName: 'kafka.example' }
    await assert.rejects(logIn({ tls, sasl: sasl('scram-sha-512') }), {
      kind: 'tls',
      message: /names another host/,
    })
  })

  test('without a log-in', async () => {
    await assert.rejects(logIn({ tls: { ca } }), { kind: 'hangup', message: /expects a SASL log-in/ })
  })

  test('without TLS', async () => {
    await assert.rejects(logIn({}), { kind: 'tls', message: /speaks TLS and none is configured/ })
    await assert.rejects(logIn({ sasl: sasl('plain') }), { kind: 'hangup', message: /expects TLS/ })
  })
})
