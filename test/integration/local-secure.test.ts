import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import { after, before, describe, test } from 'node:test'
import { Kafka, type KafkaConfig, logLevel, type SASLOptions } from 'kafkajs'
import type { ClientCredentials, LocalUser } from '../../replicator/local/cluster-options.ts'
import { installKafka, type KafkaInstallation } from '../../replicator/local/installation.ts'
import {
  type LocalCluster,
  type SecureAccess,
  startLocalCluster,
} from '../../replicator/local/local-cluster.ts'
import { createTopics } from './create-topics.ts'

const signal = new AbortController().signal

/** Creates a topic and produces one record into it, as one client would. */
async function createAndProduce(config: KafkaConfig, topic: string): Promise<void> {
  const kafka = new Kafka({ logLevel: logLevel.NOTHING, retry: { retries: 1 }, ...config })
  const admin = kafka.admin()
  const producer = kafka.producer({ retry: { retries: 1 } })
  try {
    await admin.connect()
    await createTopics(admin, [{ topic }])
    await producer.connect()
    await producer.send({ topic, messages: [{ value: topic }] })
  } finally {
    await Promise.all([admin.disconnect(), producer.disconnect()])
  }
}

describe('a secure local cluster', () => {
  let installation: KafkaInstallation
  let cluster: LocalCluster
  let access: SecureAccess
  before(async () => {
    installation = await installKafka({}, signal)
    cluster = await startLocalCluster({ alias: 'secure', secure: true, installation }, signal)
    assert.ok(cluster.secure)
    access = cluster.secure
  })
  after(() => cluster.stop())

  const credentialsOf = (user: LocalUser) =>
    JSON.parse(readFileSync(access.credentialsFiles[user], 'utf8')) as ClientCredentials
  const loginAs = (user: LocalUser, sasl: Partial<SASLOptions> = {}): KafkaConfig => {
    const { bootstrap, mechanism, username, password, caFile } = credentialsOf(user)
    return {
      brokers: [...bootstrap],
      ssl: { ca: readFileSync(caFile, 'utf8') },
      sasl: { mechanism, username, password, ...sasl } as SASLOptions,
    }
  }

  test('takes the password of the credentials file, by SCRAM-SHA-512, SCRAM-SHA-256 and PLAIN', async () => {
    for (const mechanism of ['scram-sha-512', 'scram-sha-256', 'plain'] as const) {
      await createAndProduce(loginAs('causeway', { mechanism }), `by-${mechanism}`)
    }
  })

  test('refuses a wrong password', async () => {
    await assert.rejects(
      createAndProduce(loginAs('causeway', { password: 'wrong' }), 'refused'),
      /authentication/i,
    )
  })

  test('refuses a client that does not trust its authority, and one without TLS', async () => {
    await assert.rejects(createAndProduce({ ...loginAs('causeway'), ssl: true }, 'refused'), /certificate/i)
    await assert.rejects(createAndProduce({ brokers: [...cluster.bootstrap] }, 'refused'))
  })

  test('gives each principal its own rights', async () => {
    await createAndProduce(loginAs('app'), 'by-app')
    await assert.rejects(createAndProduce(loginAs('stranger'), 'by-stranger'))
    const admin = new Kafka({ ...loginAs('causeway'), logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
    const topics = await admin.listTopics()
    await admin.disconnect()
    assert.equal(topics.includes('by-app'), true)
    assert.equal(topics.includes('by-stranger'), false)
  })

  test('takes an unsecured token for OAUTHBEARER', async () => {
    const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
    const nowS = Math.floor(Date.now() / 1000)
    const token = `${encode({ alg: 'none' })}.${encode({ sub: 'causeway', iat: nowS, exp: nowS + 600 })}.`
    const sasl: SASLOptions = {
      mechanism: 'oauthbearer',
      oauthBearerProvider: async () => ({ value: token }),
    }
    await createAndProduce({ ...loginAs('causeway'), sasl }, 'by-token')
  })

  test('takes a client certificate, and refuses to go without one', async () => {
    const { bootstrap, certificateFile, keyFile } = access.mutualTls
    const ca = readFileSync(access.caFile, 'utf8')
    const cert = readFileSync(certificateFile, 'utf8')
    const key = readFileSync(keyFile, 'utf8')
    await createAndProduce({ brokers: [...bootstrap], ssl: { ca, cert, key } }, 'by-certificate')
    await assert.rejects(createAndProduce({ brokers: [...bootstrap], ssl: { ca } }, 'refused'))
  })

  test('keeps its secrets in files of mode 600, out of process lists and out of what is printed', () => {
    for (const file of Object.values(access.credentialsFiles))
      assert.equal(statSync(file).mode & 0o777, 0o600)
    assert.equal(statSync(access.mutualTls.keyFile).mode & 0o777, 0o600)
    assert.equal(JSON.stringify(access).includes(access.password.reveal()), false)
    for (const { pid } of cluster.brokers) {
      const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      assert.equal(commandLine.includes(access.password.reveal()), false)
    }
  })

  test('can show an expired certificate', async () => {
    const expired = await startLocalCluster(
      { alias: 'expired', secure: true, expiredCertificate: true, installation },
      signal,
    )
    try {
      assert.ok(expired.secure)
      const { bootstrap, mechanism, username, password, caFile } = JSON.parse(
        readFileSync(expired.secure.clientCredentialsFile, 'utf8'),
      ) as ClientCredentials
      const ssl = { ca: readFileSync(caFile, 'utf8') }
      const sasl: SASLOptions = { mechanism, username, password }
      await assert.rejects(createAndProduce({ brokers: [...bootstrap], ssl, sasl }, 'refused'), /expired/)
      await createAndProduce(
        { brokers: [...bootstrap], ssl: { ...ssl, rejectUnauthorized: false }, sasl },
        'taken',
      )
    } finally {
      await expired.stop()
    }
  })
})
