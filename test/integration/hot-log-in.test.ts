import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { before, describe, test } from 'node:test'
import { systemClock } from '../../replicator/clock/system-clock.ts'
import { brokerId } from '../../replicator/kafka/cluster.ts'
import { KafkaError } from '../../replicator/kafka/errors.ts'
import { openHotChannel } from '../../replicator/kafka/hot/channel.ts'
import { FramePool } from '../../replicator/kafka/hot/frame-pool.ts'
import { Secret } from '../../replicator/kafka/secret.ts'
import type { ConnectionSettings, SaslSettings } from '../../replicator/kafka/settings.ts'
import { regionAlias } from '../../replicator/topology/identifiers.ts'

let address: { readonly host: string; readonly port: number }
let user: { readonly username: string; readonly password: string }
let ca: string

before(async () => {
  const path = process.env.CAUSEWAY_TEST_SECURE
  if (!path) throw new Error('CAUSEWAY_TEST_SECURE is not set: run these tests with npm test')
  const file = JSON.parse(await readFile(path, 'utf8'))
  const [host = '', port] = String([file.bootstrap].flat()[0]).split(':')
  address = { host, port: Number(port) }
  user = file
  ca = await readFile(file.caFile, 'utf8')
})

/** Opens a channel without the control plane, which would fail first. */
async function open(security: Pick<ConnectionSettings, 'tls' | 'sasl'>): Promise<void> {
  const settings = { bootstrap: [], clientId: 'causeway-test', ...security }
  const request = { cluster: regionAlias('us-east'), broker: brokerId(1), ...address, settings }
  const channel = await openHotChannel({ ...request, clock: systemClock, pool: new FramePool() })
  await channel.close()
}

async function refusal(security: Pick<ConnectionSettings, 'tls' | 'sasl'>): Promise<KafkaError> {
  const error = await open(security).then(
    () => assert.fail('it was let in'),
    (error: unknown) => error,
  )
  assert(error instanceof KafkaError, String(error))
  return error
}

const sasl = (
  mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512',
  password = user.password,
): SaslSettings => ({
  mechanism,
  username: user.username,
  password: new Secret(password),
})

describe('a hot channel to a secured broker', () => {
  for (const mechanism of ['plain', 'scram-sha-256', 'scram-sha-512'] as const) {
    test(`lets ${mechanism} in`, () => open({ tls: { ca }, sasl: sasl(mechanism) }))

    test(`tells that a password was wrong, without showing it, by ${mechanism}`, async () => {
      const error = await refusal({ tls: { ca }, sasl: sasl(mechanism, 'not-the-password') })
      assert.equal(error.kind, 'authentication')
      assert.equal(error.retriable, false)
      assert.match(error.message, /us-east/)
      assert.match(error.message, new RegExp(user.username))
      assert.doesNotMatch(`${error.stack}${JSON.stringify(error)}`, /not-the-password/)
    })
  }

  test('lets a token in, and tells that one was refused', async () => {
    const nowS = Math.floor(systemClock.wallMs() / 1000)
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const token = (expS: number) =>
      new Secret(`${part({ alg: 'none' })}.${part({ sub: 'causeway', iat: nowS - 900, exp: expS })}.`)
    await open({ tls: { ca }, sasl: { mechanism: 'oauthbearer', token: async () => token(nowS + 600) } })
    const error = await refusal({
      tls: { ca },
      sasl: { mechanism: 'oauthbearer', token: async () => token(nowS - 600) },
    })
    assert.equal(error.kind, 'authentication')
  })

  test('without TLS, or without trusting its authority, nobody gets in', async () => {
    // The control plane, which connects first, tells the two apart; here it is a broker that hung up.
    assert.equal((await refusal({ sasl: sasl('plain') })).kind, 'connection')
    assert.equal((await refusal({ tls: {}, sasl: sasl('plain') })).kind, 'tls')
  })
})
