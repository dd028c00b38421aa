import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import {
  BasicConstraintsExtension,
  DNS,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  IP,
  SubjectAlternativeNameExtension,
  type X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

const keyAlgorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }
const dayMs = 24 * 60 * 60 * 1000

/** A certificate with its private key, as PEM texts. */
export interface CertifiedKey {
  readonly certificate: string
  /** PKCS#8. */
  readonly key: string
}

/** The certificates of one secure cluster, all signed by an authority whose key is forgotten at once. */
export interface ClusterCertificates {
  /** PEM certificate of the authority. */
  readonly authority: string
  /** For the brokers among themselves. */
  readonly internal: CertifiedKey
  /** What brokers show to clients. */
  readonly server: CertifiedKey
  /** For one client; its subject is `CN=<clientName>`. */
  readonly client: CertifiedKey
}

interface Authority {
  readonly certificate: X509Certificate
  readonly keys: CryptoKeyPair
}
type CryptoKeyPair = webcrypto.CryptoKeyPair

/** Makes the certificates of a cluster on this machine (127.0.0.1, localhost), valid for a year from `nowMs`. */
export async function makeCertificates(options: {
  readonly clientName: string
  readonly nowMs: number
  /** The server's certificate ended a day before `nowMs`. */
  readonly expired: boolean
}): Promise<ClusterCertificates> {
  const valid = {
    notBefore: new Date(options.nowMs - dayMs),
    notAfter: new Date(options.nowMs + 365 * dayMs),
  }
  const keys = await makeKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: 'CN=causeway local authority',
    keys,
    ...valid,
    extensions: [new BasicConstraintsExtension(true, undefined, true)],
  })
  const authority = { certificate, keys }
  const served = options.expired
    ? { notBefore: new Date(options.nowMs - 10 * dayMs), notAfter: new Date(options.nowMs - dayMs) }
    : valid
  return {
    authority: certificate.toString('pem'),
    internal: await certify(authority, 'CN=broker', valid),
    server: await certify(authority, 'CN=broker', served),
    client: await certify(authority, `CN=${options.clientName}`, valid),
  }
}

function makeKeys(): Promise<CryptoKeyPair> {
  return webcrypto.subtle.generateKey(keyAlgorithm, true, ['sign', 'verify']) as Promise<CryptoKeyPair>
}

async function certify(
  authority: Authority,
  subject: string,
  validity: { readonly notBefore: Date; readonly notAfter: Date },
): Promise<CertifiedKey> {
  const keys = await makeKeys()
  const certificate = await X509CertificateGenerator.create({
    subject,
    issuer: authority.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    signingAlgorithm: keyAlgorithm,
    ...validity,
    extensions: [
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth, ExtendedKeyUsage.clientAuth]),
      new SubjectAlternativeNameExtension([
        { type: IP, value: '127.0.0.1' },
        { type: DNS, value: 'localhost' },
      ]),
    ],
  })
  const der = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey))
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  const key = ['-----BEGIN PRIVATE KEY-----', ...lines, '-----END PRIVATE KEY-----', ''].join('\n')
  return { certificate: `${certificate.toString('pem')}\n`, key }
}
