import assert from 'node:assert/strict'
import { before, describe, test } from 'node:test'
import { systemClock } from '../../../../replicator/clock/system-clock.ts'
import { isRetriable } from '../../../../replicator/kafka/errors.ts'
import { Secret } from '../../../../replicator/kafka/secret.ts'
import { type ClusterCertificates, makeCertificates } from '../../../../replicator/local/certificates.ts'
import { fetch, kafkaFailure, produceOf, setting, settle, topicId } from './channel-setting.ts'
import { fetchAnswer, produceAnswer } from './fake-broker.ts'

let good: ClusterCertificates
let expired: ClusterCertificates
before(async () => {
  const nowMs = systemClock.wallMs()
  good = await makeCertificates({ clientName: 'causeway', nowMs, expired: false })
  expired = await makeCertificates({ clientName: 'causeway', nowMs, expired: true })
})

describe('a hot channel over TLS', () => {
  test('large answers and batches come through whole', async () => {
    const { broker, open } = await setting({ tls: good.server })
    const channel = await open({ tls: { ca: good.authority } })
    const records = Buffer.alloc(3_000_000)
    for (let i = 0; i < records.length; i += 997) records[i] = i & 0xff
    const fetching = [channel.fetch(fetch), channel.fetch(fetch)]
    const producing = channel.produce(produceOf('b'.repeat(1_000_000)))
    const seen = await broker.seen(3)
    for (const request of seen)
      request.answer(request.api === 1 ? fetchAnswer(topicId, records) : produceAnswer('orders'))
    for (const { frame, partitions } of await Promise.all(fetching)) {
      assert(partitions[0]!.records.equals(records))
      frame.release()
    }
    await producing
    assert(seen[2]!.body.includes('b'.repeat(1_000_000)))
  })

  test('an authority that is not trusted', async () => {
    const { broker, open } = await setting({ tls: good.server })
    const error = await kafkaFailure(open({ tls: { ca: expired.authority } }))
    assert.equal(error.kind, 'tls')
    assert(!isRetriable(error))
    assert.match(error.message, /unknown authority.*us-east|us-east.*unknown authority/)
    await settle()
    assert.equal(broker.connections, 0)
  })

  test('a certificate that has expired', async () => {
    const { open } = await setting({ tls: expired.server })
    const error = await kafkaFailure(open({ tls: { ca: expired.authority } }))
    assert.equal(error.kind, 'tls')
    assert.match(error.message, /certificate has expired/)
    assert.match(error.wayOut ?? '', /Renew/)
  })

  test('a certificate of another name', async () => {
    const { open } = await setting({ tls: good.server })
    const error = await kafkaFailure(open({ tls: { ca: good.authority, serverName: 'kafka.example' } }))
    assert.equal(error.kind, 'tls')
    assert.match(error.message, /names another host/)
  })

  test('a client certificate is shown where it is wanted; without one the broker’s refusal is told', async () => {
    const secure = { ...good.server, clientAuthority: good.authority }
    const { broker, open } = await setting({ tls: secure })
    const channel = await open({
      tls: { ca: good.authority, certificate: good.client.certificate, key: new Secret(good.client.key) },
    })
    const producing = channel.produce(produceOf('a'))
    const [request] = await broker.seen(1)
    request!.answer(produceAnswer('orders'))
    await producing
    const error = await kafkaFailure(open({ tls: { ca: good.authority } }))
    assert.equal(error.kind, 'tls')
    assert.match(error.message, /refuses our certificate/)
  })
})
