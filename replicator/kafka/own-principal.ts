import type { ConnectionSettings } from './settings.ts'

/**
 * Whom a cluster takes us for, by Kafka's default principal builder, or `undefined` where only the cluster knows:
 * certificates go through its `ssl.principal.mapping.rules`, tokens through its choice of a claim.
 */
export function ownPrincipal({ sasl, tls }: ConnectionSettings): string | undefined {
  if (sasl !== undefined) return sasl.mechanism === 'oauthbearer' ? undefined : `User:${sasl.username}`
  return tls?.certificate === undefined ? 'User:ANONYMOUS' : undefined
}
