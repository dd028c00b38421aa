import type { JvmTuning } from './broker-process.ts'
import type { Concealed } from './concealed.ts'
import type { BrokerSource } from './kafka-files.ts'

/** What cluster to start. */
export interface LocalClusterOptions {
  /** The region's name; appears in folder names and errors. Letters, digits, dots, dashes and underscores. */
  readonly alias: string
  /** Default 1, at most 9. With three or more, three of them are controllers. */
  readonly brokers?: number
  readonly installation: BrokerSource
  /**
   * SASL_SSL with SCRAM-SHA-512 (and 256, PLAIN, OAUTHBEARER with unsecured tokens), a listener for client
   * certificates, and the StandardAuthorizer. Default PLAINTEXT.
   */
  readonly secure?: boolean
  /** For a secure cluster: clients are shown a certificate that expired yesterday. */
  readonly expiredCertificate?: boolean
  /** Where the cluster's own temporary folder is made. Default: the system's folder for temporary files. */
  readonly folder?: string
  /** Where broker logs are written and kept. Default: inside the cluster's folder, gone with it. */
  readonly logFolder?: string
  /** Settings for every broker's server.properties; they win over ours. */
  readonly brokerConfig?: Readonly<Record<string, string>>
  /** Heap of each broker, in MiB. Default 350. */
  readonly heapMb?: number
  /** Default `quick`. */
  readonly tuning?: JvmTuning
  /** Client ports, one per broker. Default: free ones are chosen, and others when one is taken meanwhile. */
  readonly ports?: readonly number[]
  /** Limit for the whole start, in milliseconds. Default 60 000. */
  readonly startTimeoutMs?: number
  readonly extraJvmArguments?: readonly string[]
}

/** A broker of a running cluster. */
export interface LocalBroker {
  readonly id: number
  /** Where clients connect, on 127.0.0.1. Stays the same across restarts. */
  readonly port: number
  /** Process id of its present or last run (of `docker exec`, where it runs in a container). */
  readonly pid: number
}

/**
 * Principals of a secure cluster. `admin`: super user. `causeway`: everything, by ACLs that a deny can override.
 * `app`: creates, reads and writes topics, uses groups and transactions. `stranger`: no rights at all.
 */
export const localUsers = ['admin', 'causeway', 'app', 'stranger'] as const
export type LocalUser = (typeof localUsers)[number]

/** What a credentials file (JSON, mode 600) holds. */
export interface ClientCredentials {
  readonly bootstrap: readonly string[]
  readonly mechanism: 'scram-sha-512'
  readonly username: string
  readonly password: string
  /** PEM certificate of the authority that signed the brokers' certificates. */
  readonly caFile: string
}

/** How to log in to a secure cluster. */
export interface SecureAccess {
  readonly caFile: string
  readonly mechanism: 'scram-sha-512'
  /** `causeway`. */
  readonly username: string
  readonly password: Concealed
  /** {@link ClientCredentials} of `causeway`. */
  readonly clientCredentialsFile: string
  /** {@link ClientCredentials} of every principal. */
  readonly credentialsFiles: Readonly<Record<LocalUser, string>>
  /** The listener for client certificates; its certificate makes the client `User:causeway`. */
  readonly mutualTls: {
    readonly bootstrap: readonly string[]
    readonly certificateFile: string
    readonly keyFile: string
  }
}

/**
 * A running cluster of real brokers on this machine. When the process that started it ends, in whichever way, its
 * brokers are killed and its folder is removed, unless it was detached.
 */
export interface LocalCluster {
  readonly alias: string
  /** `host:port` of every broker. */
  readonly bootstrap: readonly string[]
  readonly brokers: readonly LocalBroker[]
  readonly folder: string
  /** Only for secure clusters. */
  readonly secure?: SecureAccess
  /** Resolves when the broker's process is gone. */
  killBroker(id: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void>
  /** Starts a broker that was killed, on its old port and data. Resolves when it answers and the cluster lists it again. */
  restartBroker(id: number): Promise<void>
  /** SIGSTOP: the broker keeps its connections and answers nothing. */
  pauseBroker(id: number): void
  resumeBroker(id: number): void
  /** From now on the cluster outlives this process, until somebody calls `endAbandonedCluster` with its folder. */
  detach(): Promise<void>
  /** Kills the brokers and removes the folder. Idempotent. */
  stop(): Promise<void>
}
