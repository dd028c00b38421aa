import { type ErrorPlace, KafkaError, protocolError, transportError, withPlace } from './errors.ts'

/** What was known when a connection failed. */
export interface FailureScene {
  readonly place: ErrorPlace
  readonly tls: boolean
  readonly sasl: boolean
  /** Some request has been answered on this connection (the versions a broker tells do not count). */
  readonly answered: boolean
}

/**
 * Turns what sockets, TLS and the wire library throw into an error that says what to do. Pure.
 *
 * Wrong credentials and certificates are final: repeating a log-in locks accounts and hides the reason. A connection
 * that is cut early may mean both a wrong port and a broker that is going down, hence `hangup`, which is retriable.
 */
export function connectionFailure(error: unknown, scene: FailureScene): KafkaError {
  const chain = causes(error)
  const told = chain.find((link) => link instanceof KafkaError)
  if (told) return withPlace(told, scene.place)
  return (
    logInFailure(chain, scene) ??
    tlsFailure(chain, scene) ??
    socketFailure(chain, scene) ??
    transportError(
      'connection',
      `the connection failed (${messageOf(chain.at(-1) ?? error)})`,
      scene.place,
      chain.at(-1),
    )
  )
}

function logInFailure(chain: readonly unknown[], { place }: FailureScene): KafkaError | undefined {
  const refusal = chain.find((link) => isOneOf(property(link, 'apiId'), logInRefusals))
  if (refusal !== undefined) {
    const error = protocolError(Number(property(refusal, 'apiCode')), place, detailOf(refusal))
    // A broker that is asked to authenticate on a listener without SASL answers that the request does not fit.
    const wayOut =
      error.kind === 'ILLEGAL_SASL_STATE'
        ? 'This listener has no SASL log-in: remove the sasl settings or use the port of a SASL listener.'
        : error.wayOut
    return transportError('authentication', `${error.kind}: ${error.summary}`, place, undefined, wayOut)
  }
  const failure = chain.find((link) => property(link, 'code') === 'PLT_KFK_AUTHENTICATION')
  // The wire library calls a connection that is cut during the log-in an authentication error too.
  if (failure === undefined || chain.some(isLostConnection)) return undefined
  return transportError('authentication', `the log-in failed (${messageOf(chain.at(-1))})`, place)
}

function tlsFailure(chain: readonly unknown[], scene: FailureScene): KafkaError | undefined {
  const { place } = scene
  if (chain.some((link) => messageOf(link) === 'Broker requires TLS.')) {
    const wayOut = 'Add tls settings, or use the port of a plaintext listener.'
    return transportError('tls', 'the port speaks TLS and none is configured', place, undefined, wayOut)
  }
  if (!scene.tls) return undefined
  const link = chain.find((candidate) => {
    const code = property(candidate, 'code')
    return typeof code === 'string' && (code in certificateProblems || /^ERR_(SSL|TLS|OSSL)_/.test(code))
  })
  if (link !== undefined) {
    const code = String(property(link, 'code'))
    const [summary, wayOut] = certificateProblems[code] ?? alertProblem(code, messageOf(link))
    return transportError('tls', `${summary} (${code})`, place, link, wayOut)
  }
  if (chain.some((candidate) => messageOf(candidate).includes('secure TLS connection'))) {
    const wayOut = 'If it stays, this port does not speak TLS: remove the tls settings or use the TLS port.'
    return transportError('hangup', 'the broker hung up during the TLS handshake', place, undefined, wayOut)
  }
  return undefined
}

function socketFailure(chain: readonly unknown[], scene: FailureScene): KafkaError | undefined {
  const { place } = scene
  const code = chain.map((link) => property(link, 'code')).find((value) => isOneOf(value, socketCodes))
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return transportError('dns', `the host name has no address (${code})`, place, chain.at(-1))
  }
  if (chain.some((link) => /timed out/i.test(messageOf(link))) || code === 'ETIMEDOUT') {
    const what = place.during?.startsWith('opening') ? 'no connection in time' : 'no answer in time'
    return transportError('timeout', what, place)
  }
  if (code === 'ECONNREFUSED') {
    return transportError('connection', 'nothing listens there (ECONNREFUSED)', place, chain.at(-1))
  }
  if (!scene.answered && (code === 'ECONNRESET' || code === 'EPIPE' || chain.some(isLostConnection))) {
    return transportError(
      'hangup',
      'the broker hung up before it answered',
      place,
      undefined,
      hangupAdvice(scene),
    )
  }
  if (code !== undefined || chain.some(isLostConnection)) {
    return transportError('connection', `the connection broke${code ? ` (${String(code)})` : ''}`, place)
  }
  return undefined
}

function hangupAdvice({ tls, sasl }: FailureScene): string {
  const expected = [tls ? undefined : 'TLS', sasl ? undefined : 'a SASL log-in'].filter((part) => part)
  if (expected.length > 0)
    return `If it stays, this port expects ${expected.join(' or ')}, and none is configured.`
  return 'If it stays, check the SASL mechanism and the log of the broker.'
}

const logInRefusals = ['SASL_AUTHENTICATION_FAILED', 'UNSUPPORTED_SASL_MECHANISM', 'ILLEGAL_SASL_STATE']

const socketCodes = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EHOSTDOWN',
  'ECONNABORTED',
]

const unknownAuthority = [
  'the broker shows a certificate of an unknown authority',
  "Give the authority that signed the brokers' certificates as ca.",
] as const

/** Codes of OpenSSL's verification and of node:tls, as they appear in `error.code`. */
const certificateProblems: Readonly<Record<string, readonly [summary: string, wayOut: string]>> = {
  CERT_HAS_EXPIRED: ["the broker's certificate has expired", "Renew the broker's certificate."],
  CERT_NOT_YET_VALID: [
    "the broker's certificate is not valid yet",
    'Check the clocks of this machine and of the broker.',
  ],
  ERR_TLS_CERT_ALTNAME_INVALID: [
    "the broker's certificate names another host",
    'Connect by a name that the certificate covers, or set serverName.',
  ],
  CERT_REVOKED: ["the broker's certificate was revoked", "Renew the broker's certificate."],
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT: unknownAuthority,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: unknownAuthority,
  SELF_SIGNED_CERT_IN_CHAIN: unknownAuthority,
  DEPTH_ZERO_SELF_SIGNED_CERT: unknownAuthority,
  CERT_SIGNATURE_FAILURE: unknownAuthority,
  ERR_SSL_WRONG_VERSION_NUMBER: [
    'the port does not speak TLS, or no version of it that we do',
    'Remove the tls settings, or use the port of a TLS listener.',
  ],
}

function alertProblem(code: string, message: string): readonly [string, string] {
  if (/ALERT.*(CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED)/.test(code)) {
    return [
      'the broker refuses our certificate',
      "Give a client certificate and key that the broker's authority signed.",
    ]
  }
  return [
    `the TLS handshake failed: ${message.split('\n')[0]}`,
    'Check TLS versions, ciphers and certificates of both sides.',
  ]
}

/** The error, then everything underneath it, outermost first. */
function causes(error: unknown): readonly unknown[] {
  const found: unknown[] = []
  const visit = (link: unknown) => {
    if (typeof link !== 'object' || link === null || found.includes(link) || found.length > 50) return
    found.push(link)
    const inner = property(link, 'errors')
    if (Array.isArray(inner)) for (const each of inner) visit(each)
    visit(property(link, 'cause'))
  }
  visit(error)
  return found
}

function isLostConnection(link: unknown): boolean {
  return property(link, 'code') === 'PLT_KFK_NETWORK' && /Connection closed/.test(messageOf(link))
}

function isOneOf(value: unknown, list: readonly string[]): value is string {
  return typeof value === 'string' && list.includes(value)
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined
}

function detailOf(link: unknown): string | undefined {
  const detail = property(link, 'serverErrorMessage')
  return typeof detail === 'string' ? detail : undefined
}

function messageOf(link: unknown): string {
  const message = property(link, 'message')
  return typeof message === 'string' ? message : String(link)
}
