import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { Secret } from '../kafka/secret.ts'
import type { TlsSettings } from '../kafka/settings.ts'
import type { Path } from '../topology/problem.ts'
import type { EntryReader } from './entry-reader.ts'
import type { SecurityEntry } from './schema.ts'

/** Reads `security.tls`: files are read and checked now, not at the first connection. */
export function readTls(
  entry: SecurityEntry['tls'],
  path: Path,
  reader: EntryReader,
): TlsSettings | undefined {
  if (entry === undefined || entry === false) return undefined
  if (entry === true) return {}
  const ca = reader.pem(entry.ca, [...path, 'ca'])
  const certificate = reader.pem(entry.certificate, [...path, 'certificate'])
  const key = reader.pem(entry.key, [...path, 'key'])
  const passphrase = reader.secret(entry.passphrase, [...path, 'passphrase'])
  const serverName = reader.text(entry.serverName, [...path, 'serverName'])
  checkPair(entry, path, reader)
  if (ca !== undefined) parseCertificates(ca, [...path, 'ca'], reader)
  const client =
    certificate === undefined ? undefined : parseCertificates(certificate, [...path, 'certificate'], reader)
  const privateKey = key === undefined ? undefined : parseKey(key, passphrase, [...path, 'key'], reader)
  if (client !== undefined && privateKey !== undefined && !client.checkPrivateKey(privateKey)) {
    reader.problems.push({ path: [...path, 'key'], message: 'the key does not belong to the certificate' })
  }
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key: new Secret(key) }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(serverName === undefined ? {} : { serverName }),
  }
}

function checkPair(
  entry: Exclude<SecurityEntry['tls'], boolean | undefined>,
  path: Path,
  reader: EntryReader,
): void {
  const needs = (present: 'certificate' | 'key' | 'passphrase', absent: 'certificate' | 'key'): void => {
    if (entry[present] === undefined || entry[absent] !== undefined) return
    reader.problems.push({ path: [...path, present], message: `"${present}" needs "${absent}" beside it` })
  }
  needs('certificate', 'key')
  needs('key', 'certificate')
  needs('passphrase', 'key')
}

/** Checks every certificate of a PEM text; returns the first, which is the holder's own. */
function parseCertificates(pem: string, path: Path, reader: EntryReader): X509Certificate | undefined {
  const texts = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
  try {
    if (texts.length === 0) throw new Error('none')
    return texts.map((text) => new X509Certificate(text))[0]
  } catch {
    const message = texts.length === 0 ? 'holds no certificate' : 'holds a certificate that cannot be read'
    reader.problems.push({ path, message, hint: 'a PEM text with -----BEGIN CERTIFICATE----- is needed' })
    return undefined
  }
}

function parseKey(
  pem: string,
  passphrase: Secret | undefined,
  path: Path,
  reader: EntryReader,
): KeyObject | undefined {
  try {
    return createPrivateKey({
      key: pem,
      ...(passphrase === undefined ? {} : { passphrase: passphrase.reveal() }),
    })
  } catch {
    const encrypted = pem.includes('ENCRYPTED')
    const message = encrypted
      ? `the key is encrypted and ${passphrase === undefined ? 'has no passphrase' : 'its passphrase does not open it'}`
      : 'holds no private key that can be read'
    reader.problems.push({ path, message, hint: 'give a PEM key, with "passphrase" if it is encrypted' })
    return undefined
  }
}
