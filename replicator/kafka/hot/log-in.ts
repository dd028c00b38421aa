import {
  apiVersionsV3,
  saslAuthenticateV2,
  saslHandshakeV1,
  saslOAuthBearer,
  saslPlain,
  saslScramSha,
} from '@platformatic/kafka'
import { connectionFailure } from '../connection-failure.ts'
import { saslMechanisms, tokenRefusal } from '../connection-options.ts'
import { type ErrorPlace, KafkaError, transportError, withPlace } from '../errors.ts'
import { askToken } from '../log-in-token.ts'
import type { SaslSettings } from '../settings.ts'
import type { BrokerConnection } from './broker-connection.ts'
import { FETCH_API_KEY, FETCH_VERSIONS } from './fetch-codec.ts'
import { PRODUCE_API_KEY, PRODUCE_VERSIONS } from './produce-codec.ts'

export interface NegotiatedVersions {
  readonly fetch: number
  readonly produce: number
}

/**
 * Asks a broker which versions of the two hot requests it speaks.
 * @throws KafkaError `unsupported-version` when there is no common one.
 */
export async function negotiateVersions(connection: BrokerConnection): Promise<NegotiatedVersions> {
  const answer = await apiVersionsV3.api
    .async(connection.asLibraryConnection(), 'causeway', '1')
    .catch((cause) => {
      throw cause instanceof KafkaError
        ? cause
        : transportError('unsupported-version', 'The broker refused ApiVersions v3', connection.place, cause)
    })
  const pick = (key: number, own: { min: number; max: number }, name: string): number => {
    const offered = answer.apiKeys.find((api) => api.apiKey === key)
    const version = Math.min(own.max, offered?.maxVersion ?? -1)
    if (offered !== undefined && version >= own.min && version >= offered.minVersion) return version
    const has = offered === undefined ? 'none' : `v${offered.minVersion} to v${offered.maxVersion}`
    throw transportError(
      'unsupported-version',
      `The broker speaks ${name} ${has}; needed is v${own.min} to v${own.max}`,
      connection.place,
    )
  }
  return {
    fetch: pick(FETCH_API_KEY, FETCH_VERSIONS, 'Fetch'),
    produce: pick(PRODUCE_API_KEY, PRODUCE_VERSIONS, 'Produce'),
  }
}

/**
 * Logs in over an open connection, with the wire library's exchanges.
 * @returns how long the session lasts in milliseconds, or `undefined` when the broker sets no end (KIP-368)
 * @throws KafkaError `authentication`, which a retry does not mend; `token` when there is none to log in with
 */
export async function logIn(connection: BrokerConnection, sasl: SaslSettings): Promise<number | undefined> {
  const library = connection.asLibraryConnection()
  const authenticate = saslAuthenticateV2.api
  try {
    await saslHandshakeV1.api.async(library, saslMechanisms[sasl.mechanism])
    if (sasl.mechanism === 'oauthbearer') {
      const token = await askToken(sasl.token, connection.place)
      const answer = await saslOAuthBearer.authenticate(authenticate, library, token.reveal(), {
        ...sasl.extensions,
      })
      // Brokers answer a bad token without an error code: what is wrong stands in the answer's bytes (RFC 7628).
      const refusal = tokenRefusal(answer.authBytes)
      if (refusal !== undefined) throw withPlace(refusal, connection.place)
      return lifetime(answer.sessionLifetimeMs)
    }
    const password = sasl.password.reveal()
    if (sasl.mechanism === 'plain') {
      const answer = await saslPlain.authenticate(authenticate, library, sasl.username, password)
      return lifetime(answer.sessionLifetimeMs)
    }
    const algorithm = sasl.mechanism === 'scram-sha-256' ? 'SHA-256' : 'SHA-512'
    const answer = await saslScramSha.authenticate(authenticate, library, algorithm, sasl.username, password)
    return lifetime(answer.sessionLifetimeMs)
  } catch (error) {
    throw loginError(error, sasl, connection.place)
  }
}

function lifetime(sessionLifetimeMs: bigint): number | undefined {
  return sessionLifetimeMs > 0n ? Number(sessionLifetimeMs) : undefined
}

function loginError(error: unknown, sasl: SaslSettings, place: ErrorPlace): KafkaError {
  const told = connectionFailure(error, { place, tls: false, sasl: true, answered: true })
  if (told.kind !== 'authentication' || !('username' in sasl)) return told
  const message = `The log-in as ${sasl.username} by ${saslMechanisms[sasl.mechanism]} was refused: ${told.summary}`
  return transportError('authentication', message, place, undefined, told.wayOut)
}
