import { Secret } from '../../kafka/secret.ts'
import type { TokenProvider } from '../token-providers.ts'

/** An endpoint that has not answered by then never will. */
const endpointTimeoutMs = 30_000

/** What an OAuth token endpoint is asked with. */
export interface ClientCredentials {
  readonly url: string
  readonly clientId: string
  readonly clientSecret: Secret
  readonly scope?: string
}

/**
 * Asks a token endpoint by client credentials (RFC 6749, section 4.4), as Kafka's own login callback handler does.
 * Errors name the endpoint and its status, never what was sent or answered.
 */
export function tokenFromEndpoint(credentials: ClientCredentials): TokenProvider {
  const { url, clientId, clientSecret, scope } = credentials
  const host = new URL(url).host
  const basic = Buffer.from(`${clientId}:${clientSecret.reveal()}`).toString('base64')
  return async () => {
    const form = new URLSearchParams({
      grant_type: 'client_credentials',
      ...(scope === undefined ? {} : { scope }),
    })
    const response = await fetch(url, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}`, accept: 'application/json' },
      body: form,
      redirect: 'error',
      signal: AbortSignal.timeout(endpointTimeoutMs),
    }).catch((error: unknown) => {
      const why =
        error instanceof Error && error.name === 'TimeoutError' ? 'did not answer' : 'cannot be reached'
      throw new Error(`no OAuth token: ${host} ${why}`)
    })
    if (!response.ok) throw new Error(`no OAuth token: ${host} answered ${response.status}`)
    const answer: unknown = await response.json().catch(() => undefined)
    const isAnswer = typeof answer === 'object' && answer !== null && 'access_token' in answer
    const token = isAnswer ? answer.access_token : undefined
    if (typeof token !== 'string' || token === '') {
      throw new Error(`no OAuth token: ${host} answered without an access_token`)
    }
    return new Secret(token)
  }
}
