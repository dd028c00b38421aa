import assert from 'node:assert/strict'
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { test } from 'node:test'
import { makeCertificates } from '../../../replicator/local/certificates.ts'

const nowMs = Date.UTC(2026, 5, 1)

test('every certificate is signed by the authority, names this machine, and fits its key', async () => {
  const made = await makeCertificates({ clientName: 'causeway', nowMs, expired: false })
  const authority = new X509Certificate(made.authority)
  assert.equal(authority.ca, true)
  for (const { certificate, key } of [made.internal, made.server, made.client]) {
    const parsed = new X509Certificate(certificate)
    assert.equal(parsed.verify(authority.publicKey), true)
    assert.equal(parsed.checkIP('127.0.0.1'), '127.0.0.1')
    assert.equal(parsed.checkHost('localhost'), 'localhost')
    assert.equal(parsed.checkPrivateKey(createPrivateKey(key)), true)
    assert.ok(Date.parse(parsed.validTo) > nowMs)
  }
  assert.equal(new X509Certificate(made.client.certificate).subject, 'CN=causeway')
})

test("expired: only what clients are shown has ended; the brokers' own goes on", async () => {
  const made = await makeCertificates({ clientName: 'causeway', nowMs, expired: true })
  assert.ok(Date.parse(new X509Certificate(made.server.certificate).validTo) < nowMs)
  assert.ok(Date.parse(new X509Certificate(made.internal.certificate).validTo) > nowMs)
})
