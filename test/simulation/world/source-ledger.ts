import type { TestRecord } from '../record-batches.ts'

/** A record that an application wrote to the source, and what became of it there. */
export interface WrittenRecord {
  readonly offset: bigint
  /** All that the copy must share: key, value, headers and timestamp. */
  readonly identity: string
  state: 'open' | 'committed' | 'aborted'
  /**
   * Removed from the source's log: by its cleaner, or from the front by a deletion, which is no loss where the flow
   * had not begun with the partition.
   */
  gone: 'cleaned' | 'deleted' | 'deleted-before-start' | undefined
  /** It was gone before progress named it: which of the target's records it is, nobody can find out any more. */
  isVague: boolean
}

/** What was written to one source partition, as its writers know it: the truth that copies are judged by. */
export class SourceLedger {
  readonly records: WrittenRecord[] = []
  readonly #byIdentity = new Map<string, number>()

  /** Notes a batch that the source took at `baseOffset`. */
  wrote(
    baseOffset: bigint,
    records: readonly TestRecord[],
    state: 'open' | 'committed',
    appendTimeMs: number | undefined,
  ): readonly WrittenRecord[] {
    return records.map((record) => {
      const written: WrittenRecord = {
        offset: baseOffset + BigInt(record.offsetDelta),
        identity: identityOf(appendTimeMs === undefined ? record : { ...record, timestampMs: appendTimeMs }),
        state,
        gone: undefined,
        isVague: false,
      }
      if (this.#byIdentity.has(written.identity)) throw new Error('two records of a run are the same')
      this.#byIdentity.set(written.identity, this.records.length)
      this.records.push(written)
      return written
    })
  }

  indexOf(identity: string): number | undefined {
    return this.#byIdentity.get(identity)
  }

  /** Notes what a deletion took. @param named what progress names as copied lies below */
  deletedBelow(offset: bigint, how: 'deleted' | 'deleted-before-start', named: bigint): void {
    for (const record of this.records) {
      if (record.offset >= offset) break
      note(record, how, named)
    }
  }

  /** Notes what the cleaner left. @param named as for {@link deletedBelow} */
  cleaned(left: ReadonlySet<bigint>, named: bigint): void {
    for (const record of this.records) {
      if (record.state !== 'open' && !left.has(record.offset)) note(record, 'cleaned', named)
    }
  }
}

function note(record: WrittenRecord, how: WrittenRecord['gone'], named: bigint): void {
  if (record.gone !== undefined) return
  record.gone = how
  record.isVague = record.offset >= named
}

export const identityOf = (record: TestRecord): string =>
  [
    record.timestampMs,
    textOf(record.key),
    textOf(record.value),
    ...record.headers.map(([name, value]) => `${name}=${textOf(value)}`),
  ].join('|')

const textOf = (bytes: Buffer | null): string => (bytes === null ? '-' : `+${bytes.toString('latin1')}`)
