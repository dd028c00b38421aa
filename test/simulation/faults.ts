import type { BrokerId } from '../../replicator/kafka/cluster.ts'
import type { RegionAlias } from '../../replicator/topology/model.ts'

/** What a client asks a simulated cluster. Every kind passes the {@link DecideFault} hook. */
export type RequestKind =
  | 'list-topics'
  | 'describe-topics'
  | 'describe-cluster'
  | 'create-topics'
  | 'grow-topics'
  | 'describe-configs'
  | 'alter-configs'
  | 'describe-acls'
  | 'create-acls'
  | 'delete-acls'
  | 'list-offsets'
  | 'offsets-for-leader-epochs'
  | 'describe-broker-configs'
  | 'init-producer-id'
  | 'add-partitions-to-txn'
  | 'end-txn'
  | 'write-txn-markers'
  | 'describe-producers'
  | 'join-group'
  | 'sync-group'
  | 'heartbeat-group'
  | 'leave-group'
  | 'list-groups'
  | 'describe-groups'
  | 'group-offsets'
  | 'commit-group-offsets'
  | 'delete-group-offsets'
  | 'open-channel'
  | 'produce'
  | 'fetch'

export interface RequestSeen {
  readonly cluster: RegionAlias
  readonly kind: RequestKind
  /** The broker of a channel's request; control requests go to any. */
  readonly broker: BrokerId | undefined
  /** Counts this client's requests, from 0. */
  readonly number: number
}

/**
 * What goes wrong with one request. Delays are in milliseconds of simulated time.
 * `lose: 'request'`: the broker never sees it. `lose: 'answer'`: the broker acts on it and the client never hears.
 * Either way the client waits for its request timeout; on a channel, which answers in order, that breaks the channel.
 * `duplicate`: the broker acts on the request twice and the client hears the second answer, as after a retry
 * somewhere below. `breakChannel`: the connection breaks before or after the broker acted. `arrivesAnyway`: the
 * request was already on its way when the client cut the connection, so the broker acts on it although nobody waits.
 */
export interface Fault {
  readonly requestDelayMs?: number
  readonly answerDelayMs?: number
  readonly lose?: 'request' | 'answer'
  readonly duplicate?: boolean
  readonly arrivesAnyway?: boolean
  readonly breakChannel?: 'before' | 'after'
}

/** Decides about each request; a function of its arguments and of a seeded generator, so that runs repeat. */
export type DecideFault = (request: RequestSeen) => Fault | undefined

export const noFaults: DecideFault = () => undefined
