import assert from 'node:assert/strict'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { after, before, describe, test } from 'node:test'
import { createServer, type Server, type TlsOptions } from 'node:tls'
import { systemClock } from '../../../replicator/clock/system-clock.ts'
import { ControlConnection } from '../../../replicator/kafka/control-connection.ts'
import { Secret } from '../../../replicator/kafka/secret.ts'
import type { TlsSettings } from '../../../replicator/kafka/settings.ts'
import { type ClusterCertificates, makeCertificates } from '../../../replicator/local/certificates.ts'
import type { RegionAlias } from '../../../replicator/topology/model.ts'

let valid: ClusterCertificates
let expired: ClusterCertificates
const servers: Server[] = []

before(async () => {
  const nowMs = systemClock.wallMs()
  valid = await makeCertificates({ clientName: 'causeway', nowMs, expired: false })
  expired = await makeCertificates({ clientName: 'causeway', nowMs, expired: true })
})
after(() => {
  for (const server of servers) server.close()
})

async function serve(certificates: ClusterCertificates, options: TlsOptions = {}): Promise<number> {
  const { certificate, key } = certificates.server
  const server = createServer({ cert: certificate, key, ...options }, (socket) =>
    socket.on('error', () => {}),
  )
  server.on('tlsClientError', () => {})
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

async function open(port: number, tls: TlsSettings): Promise<unknown> {
  const settings = { bootstrap: [], clientId: 'test', tls, connectTimeoutMs: 5000 }
  return await ControlConnection.open(
    { host: '127.0.0.1', port },
    { cluster: 'us-east' as RegionAlias, settings, clock: systemClock },
    new AbortController().signal,
  )
}

const tlsError = (message: RegExp) => ({ kind: 'tls', retriable: false, cluster: 'us-east', message })

describe('a TLS connection', () => {
  test('to a broker with an expired certificate', async () => {
    const port = await serve(expired)
    await assert.rejects(open(port, { ca: expired.authority }), tlsError(/has expired.*Renew/))
  })

  test('to a broker of an unknown authority', async () => {
    const port = await serve(valid)
    await assert.rejects(open(port, {}), tlsError(/unknown authority.*as ca/))
    await assert.rejects(open(port, { ca: expired.authority }), tlsError(/unknown authority/))
  })

  test('to a broker with a certificate for another host', async () => {
    const port = await serve(valid)
    const tls = { ca: valid.authority, serverName: 'kafka.example' }
    await assert.rejects(open(port, tls), tlsError(/names another host.*serverName/))
  })

  test('to a broker that wants a client certificate', async () => {
    const port = await serve(valid, { requestCert: true, rejectUnauthorized: true, ca: valid.authority })
    await assert.rejects(open(port, { ca: valid.authority }), tlsError(/refuses our certificate/))
  })

  test('with a client certificate that the broker accepts gets as far as the first request', async () => {
    const port = await serve(valid, { requestCert: true, rejectUnauthorized: true, ca: valid.authority })
    const server = servers.at(-1)
    server?.on('secureConnection', (socket) => socket.once('data', () => socket.destroy()))
    const { certificate, key } = valid.client
    const tls = { ca: valid.authority, certificate, key: new Secret(key) }
    await assert.rejects(open(port, tls), { kind: 'hangup', retriable: true })
  })
})
