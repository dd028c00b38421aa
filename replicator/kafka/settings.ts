import type { Secret } from './secret.ts'

/** How to reach and log in to one cluster. */
export interface ConnectionSettings {
  /** `host:port` of some brokers; the others are learned from them. */
  readonly bootstrap: readonly string[]
  /** Client id shown in broker logs and quotas. */
  readonly clientId: string
  /** TLS when present. */
  readonly tls?: TlsSettings
  readonly sasl?: SaslSettings
  /** Limit for opening a connection, log-in included, in milliseconds. Default 10 000. */
  readonly connectTimeoutMs?: number
  /** Limit for one answer, in milliseconds. Default 30 000. */
  readonly requestTimeoutMs?: number
}

/** PEM texts, already read. Without `ca`, the system's authorities are trusted. */
export interface TlsSettings {
  readonly ca?: string
  /** Client certificate and key, for mutual TLS. */
  readonly certificate?: string
  readonly key?: Secret
  readonly passphrase?: Secret
  /** Name to check the brokers' certificates against, where it differs from the host connected to. */
  readonly serverName?: string
}

export type SaslSettings =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
      readonly username: string
      readonly password: Secret
    }
  | {
      readonly mechanism: 'oauthbearer'
      /** Called for each log-in and each renewal. */
      readonly token: () => Promise<Secret>
      readonly extensions?: Readonly<Record<string, string>>
    }
