import { isIP } from 'node:net'
import { checkServerIdentity, createSecureContext, type ConnectionOptions as TlsOptions } from 'node:tls'
import type { ConnectionOptions, SASLMechanismValue, SASLOptions } from '@platformatic/kafka'
import { type KafkaError, transportError } from './errors.ts'
import { askToken } from './log-in-token.ts'
import type { ConnectionSettings, SaslSettings, TlsSettings } from './settings.ts'

/** Limit for opening a connection, log-in included. */
export const defaultConnectTimeoutMs = 10_000
/** Limit for one answer. */
export const defaultRequestTimeoutMs = 30_000

/**
 * What the wire library needs to connect to one host. Secrets stay behind functions and inside the TLS context, so
 * that neither `inspect` nor `JSON.stringify` of the result shows them.
 * @param host decides the name that is asked for by SNI and checked in the certificate
 * @throws KafkaError of kind `tls` when certificate, key or passphrase cannot be used
 */
export function connectionOptions(settings: ConnectionSettings, host: string): ConnectionOptions {
  const serverName = settings.tls === undefined ? undefined : sniName(settings.tls, host)
  return {
    connectTimeout: settings.connectTimeoutMs ?? defaultConnectTimeoutMs,
    requestTimeout: settings.requestTimeoutMs ?? defaultRequestTimeoutMs,
    ...(settings.tls && { tls: tlsOptions(settings.tls, host) }),
    ...(serverName !== undefined && { tlsServerName: serverName }),
    ...(settings.sasl && { sasl: saslOptions(settings.sasl) }),
  }
}

/**
 * Options for `node:tls` towards one host, for sockets that are opened without the wire library too.
 * @throws KafkaError of kind `tls` when certificate, key or passphrase cannot be used
 */
export function tlsOptions(tls: TlsSettings, host: string): TlsOptions {
  const serverName = sniName(tls, host)
  const expected = tls.serverName
  return {
    secureContext: secureContext(tls),
    ...(serverName !== undefined && { servername: serverName }),
    // An IP address cannot be asked for by SNI (RFC 6066), but it can still be what the certificate must name.
    ...(expected !== undefined &&
      isIP(expected) !== 0 && {
        checkServerIdentity: (_host, certificate) => checkServerIdentity(expected, certificate),
      }),
  }
}

function sniName(tls: TlsSettings, host: string): string | undefined {
  const name = tls.serverName ?? host
  return isIP(name) === 0 ? name : undefined
}

const contexts = new WeakMap<TlsSettings, ReturnType<typeof createSecureContext>>()

/** Reading certificates takes milliseconds; the settings object is immutable, so once is enough. */
function secureContext(tls: TlsSettings): ReturnType<typeof createSecureContext> {
  const known = contexts.get(tls)
  if (known) return known
  try {
    const context = createSecureContext({
      minVersion: 'TLSv1.2',
      ...(tls.ca !== undefined && { ca: tls.ca }),
      ...(tls.certificate !== undefined && { cert: tls.certificate }),
      ...(tls.key && { key: tls.key.reveal() }),
      ...(tls.passphrase && { passphrase: tls.passphrase.reveal() }),
    })
    contexts.set(tls, context)
    return context
  } catch (error) {
    const reason = error instanceof Error ? error.message : 'unknown reason'
    throw transportError(
      'tls',
      `the certificate, its key or the authorities cannot be used (${reason})`,
      { during: 'reading TLS settings' },
      undefined,
      'Give PEM texts; the key must belong to the certificate and the passphrase to the key.',
    )
  }
}

/** What the protocol calls each mechanism. */
export const saslMechanisms: Readonly<Record<SaslSettings['mechanism'], SASLMechanismValue>> = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM-SHA-256',
  'scram-sha-512': 'SCRAM-SHA-512',
  oauthbearer: 'OAUTHBEARER',
}

function saslOptions(sasl: SaslSettings): SASLOptions {
  const mechanism = saslMechanisms[sasl.mechanism]
  if (sasl.mechanism !== 'oauthbearer') {
    return { mechanism, username: () => sasl.username, password: () => sasl.password.reveal() }
  }
  const { extensions } = sasl
  return {
    mechanism,
    // The library asks for each log-in and each renewal, so this is where tokens are renewed.
    token: async () => (await askToken(sasl.token, { during: 'logging in' })).reveal(),
    authBytesValidator: (answer, done) => {
      const refusal = tokenRefusal(answer)
      if (refusal) done(refusal)
      else done(null, answer)
    },
    ...(extensions && { oauthBearerExtensions: () => ({ ...extensions }) }),
  }
}

/**
 * A broker that refuses a token answers without an error code, with a JSON text that says why (RFC 7628, 3.2.2), and
 * waits for the client to give up.
 */
export function tokenRefusal(answer: Buffer): KafkaError | undefined {
  if (answer.length === 0) return undefined
  const status = /"status"\s*:\s*"([^"]*)"/.exec(answer.toString('utf8'))?.[1] ?? 'no reason given'
  return transportError(
    'authentication',
    `the broker refuses the token (${status})`,
    {},
    undefined,
    "Check the token's audience, scope, issuer and expiry against what the broker expects.",
  )
}
