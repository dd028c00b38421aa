import type { RegionAlias } from '../topology/model.ts'
import { describeProtocolError } from './protocol-errors.ts'

/**
 * Problems that no broker answered with.
 * `connection`: no connection, or it broke; `hangup`: the other side cut the connection before it answered anything;
 * `dns`: the host has no address; `timeout`: no answer in time; `token`: no token to log in with;
 * `authentication`: the log-in failed; `tls`: the encrypted channel failed; `unsupported-version`: no common version
 * of a request; `malformed`: the answer cannot be understood; `closed`: this side was closed; `aborted`: the caller
 * gave up.
 */
export type TransportErrorKind =
  | 'connection'
  | 'hangup'
  | 'dns'
  | 'timeout'
  | 'token'
  | 'authentication'
  | 'tls'
  | 'unsupported-version'
  | 'malformed'
  | 'closed'
  | 'aborted'

/** Where something failed, as far as it is known. */
export interface ErrorPlace {
  readonly cluster?: RegionAlias | undefined
  readonly topic?: string | undefined
  readonly partition?: number | undefined
  /** Node id. */
  readonly broker?: number | undefined
  /** `host:port` */
  readonly address?: string | undefined
  /** What was being done, such as `Metadata` or `opening a connection`. */
  readonly during?: string | undefined
}

interface KafkaErrorFields extends ErrorPlace {
  readonly code: number | undefined
  readonly kind: string
  readonly summary: string
  readonly retriable: boolean
  readonly refreshMetadata: boolean
  readonly wayOut: string | undefined
  readonly cause?: unknown
}

/** Any failure of a cluster: what failed, where, whether retrying can help, and what the user can do. */
export class KafkaError extends Error {
  override readonly name = 'KafkaError'
  /** The protocol's code, `undefined` for problems that no broker answered with. */
  readonly code: number | undefined
  /** The protocol's name, such as `NOT_LEADER_OR_FOLLOWER`, or a {@link TransportErrorKind}. */
  readonly kind: string
  /** The bare sentence, without place and advice. */
  readonly summary: string
  /** The same request can succeed later, unchanged. */
  readonly retriable: boolean
  /** Ask for metadata before the retry. */
  readonly refreshMetadata: boolean
  readonly cluster: RegionAlias | undefined
  readonly topic: string | undefined
  readonly partition: number | undefined
  readonly broker: number | undefined
  readonly address: string | undefined
  readonly wayOut: string | undefined

  constructor(fields: KafkaErrorFields) {
    super(render(fields), fields.cause === undefined ? undefined : { cause: fields.cause })
    this.code = fields.code
    this.kind = fields.kind
    this.summary = fields.summary
    this.retriable = fields.retriable
    this.refreshMetadata = fields.refreshMetadata
    this.cluster = fields.cluster
    this.topic = fields.topic
    this.partition = fields.partition
    this.broker = fields.broker
    this.address = fields.address
    this.wayOut = fields.wayOut
  }
}

/**
 * An error that a broker answered with.
 * @param code any code but 0; unknown ones give a final error
 * @param detail the broker's own explanation, where the answer carries one
 */
export function protocolError(code: number, place: ErrorPlace = {}, detail?: string | null): KafkaError {
  const entry = describeProtocolError(code)
  const told = detail?.trim().replace(/\.$/, '')
  return new KafkaError({
    ...place,
    code,
    kind: entry.name,
    summary: told ? `${entry.meaning} (broker: "${told}")` : entry.meaning,
    retriable: entry.retriable,
    refreshMetadata: entry.refreshesMetadata,
    wayOut: entry.wayOut,
  })
}

const transport: Readonly<
  Record<TransportErrorKind, { retriable: boolean; refreshMetadata: boolean; wayOut?: string }>
> = {
  connection: {
    retriable: true,
    refreshMetadata: true,
    wayOut: 'Check that the broker is up and reachable from here, at the host and port it advertises.',
  },
  hangup: {
    retriable: true,
    refreshMetadata: true,
    wayOut: 'If it stays, this port expects TLS or a log-in that is not configured, or does not speak TLS.',
  },
  dns: {
    retriable: true,
    refreshMetadata: true,
    wayOut: 'Check the host name and the name server.',
  },
  token: {
    retriable: true,
    refreshMetadata: false,
    wayOut: 'Check the identity and permissions with which this process asks for its token.',
  },
  timeout: {
    retriable: true,
    refreshMetadata: true,
    wayOut: 'Check the network and the load of the broker.',
  },
  authentication: {
    retriable: false,
    refreshMetadata: false,
    wayOut: 'Check user name, password or token, and the SASL mechanism.',
  },
  tls: {
    retriable: false,
    refreshMetadata: false,
    wayOut: 'Check the certificates, the authorities and that this port speaks TLS.',
  },
  'unsupported-version': {
    retriable: false,
    refreshMetadata: false,
    wayOut: 'Use brokers from 2.8 to 4.3.',
  },
  malformed: {
    retriable: false,
    refreshMetadata: false,
    wayOut: 'Check that this address belongs to a Kafka broker.',
  },
  closed: { retriable: false, refreshMetadata: false },
  aborted: { retriable: false, refreshMetadata: false },
}

/**
 * A problem that no broker answered with.
 * @param message one sentence without a full stop
 * @param cause the error underneath; never one that shows secrets
 * @param wayOut replaces the advice that goes with the kind
 */
export function transportError(
  kind: TransportErrorKind,
  message: string,
  place: ErrorPlace = {},
  cause?: unknown,
  wayOut?: string,
): KafkaError {
  const policy = transport[kind]
  return new KafkaError({
    ...place,
    code: undefined,
    kind,
    summary: message,
    retriable: policy.retriable,
    refreshMetadata: policy.refreshMetadata,
    wayOut: wayOut ?? policy.wayOut,
    cause,
  })
}

/** The one place that decides whether doing the same again can help. Errors that are not Kafka's are final. */
export function isRetriable(error: unknown): boolean {
  return error instanceof KafkaError && error.retriable
}

/** The same error, seen from further up: places that it did not name yet are added. */
export function withPlace(error: KafkaError, place: ErrorPlace): KafkaError {
  return new KafkaError({
    code: error.code,
    kind: error.kind,
    summary: error.summary,
    retriable: error.retriable,
    refreshMetadata: error.refreshMetadata,
    wayOut: error.wayOut,
    cause: error.cause,
    during: place.during,
    cluster: error.cluster ?? place.cluster,
    topic: error.topic ?? place.topic,
    partition: error.partition ?? place.partition,
    broker: error.broker ?? place.broker,
    address: error.address ?? place.address,
  })
}

function render(fields: KafkaErrorFields): string {
  const place = [
    fields.cluster === undefined ? undefined : `cluster ${fields.cluster}`,
    fields.topic === undefined ? undefined : `topic ${fields.topic}`,
    fields.partition === undefined ? undefined : `partition ${fields.partition}`,
    fields.broker === undefined ? undefined : `broker ${fields.broker}`,
    fields.address === undefined ? undefined : `at ${fields.address}`,
  ].filter((part) => part !== undefined)
  const what = fields.during === undefined ? fields.kind : `${fields.during} failed: ${fields.kind}`
  const where = place.length === 0 ? '' : ` (${place.join(', ')})`
  const retry = fields.retriable ? 'Retrying can help.' : 'Retrying does not help.'
  return [`${what}${where}: ${fields.summary}.`, retry, fields.wayOut]
    .filter((part) => part !== undefined)
    .join(' ')
}
