import {
  type Decoded,
  decodeRecord,
  type FetchedKeyValue,
  int16,
  type KeyValue,
  natural64,
  stringField,
} from './fields.ts'

/** A sign of life of the flow from `source` to `target`. */
export interface Heartbeat {
  readonly source: string
  readonly target: string
  /** Milliseconds since 1970. */
  readonly timestampMs: bigint
}

/**
 * A record of `heartbeats` (KIP-382), byte for byte.
 * @throws RangeError for what the format cannot carry
 */
export function encodeHeartbeat({ source, target, timestampMs }: Heartbeat): KeyValue {
  return {
    key: Buffer.concat([stringField(source), stringField(target)]),
    value: Buffer.concat([int16(0), natural64(timestampMs)]),
  }
}

export function decodeHeartbeat(record: FetchedKeyValue): Decoded<Heartbeat> {
  return decodeRecord(
    record,
    (key) => ({ source: key.string('the source alias'), target: key.string('the target alias') }),
    (value) => {
      value.version0()
      return { timestampMs: value.natural64('the time') }
    },
  )
}
