/** The workloads: what is copied, how much of it, over which link. Pure. */
import type { SystemName, WorkloadName } from '../results.ts'

/** A topic filled beforehand is copied whole, as fast as the replicator can. */
export interface CopyWorkload {
  readonly kind: 'copy'
  readonly name: WorkloadName
  readonly partitions: number
  readonly recordBytes: number
  readonly records: number
  readonly compression: 'none' | 'lz4'
  /** `long`: the replicator reaches the source through the delay proxy. `tls`: both clusters over TLS. */
  readonly link: 'direct' | 'long' | 'tls'
  /** Who takes part; everybody without it. */
  readonly systems?: readonly SystemName[]
}

/** Records are produced at a steady rate while they are copied; each carries its send time. */
export interface LatencyWorkload {
  readonly kind: 'latency'
  readonly name: WorkloadName
  readonly partitions: number
  readonly recordBytes: number
  readonly recordsPerSecond: number
  readonly warmUpSeconds: number
  readonly seconds: number
}

export type Workload = CopyWorkload | LatencyWorkload

/** Added to the long link in each direction, half of the round trip. */
export const oneWayDelayMs = 40

/** 10 MB/s of 1 KiB records. */
export const steadyRecordsPerSecond = Math.round(10e6 / 1024)

/** All workloads, in the order in which they run. `quick` keeps their kind and cuts their size. */
export function planWorkloads(quick: boolean): Workload[] {
  const copy = (
    name: WorkloadName,
    bytes: { readonly full: number; readonly quick: number },
    rest: Partial<CopyWorkload> = {},
  ): CopyWorkload => {
    const recordBytes = rest.recordBytes ?? 1024
    return {
      kind: 'copy',
      name,
      partitions: 8,
      recordBytes,
      records: Math.ceil((quick ? bytes.quick : bytes.full) / recordBytes),
      compression: 'none',
      link: 'direct',
      ...rest,
    }
  }
  return [
    copy('throughput-1k', { full: 2e9, quick: 3e8 }),
    copy('throughput-lz4', { full: 2e9, quick: 3e8 }, { compression: 'lz4' }),
    copy('throughput-100b', { full: 4e8, quick: 4e7 }, { recordBytes: 100 }),
    // States what encryption costs Causeway; rivals are compared without it.
    copy('throughput-1k-tls', { full: 2e9, quick: 3e8 }, { link: 'tls', systems: ['causeway'] }),
    {
      kind: 'latency',
      name: 'latency-10mbs',
      partitions: 8,
      recordBytes: 1024,
      recordsPerSecond: steadyRecordsPerSecond,
      warmUpSeconds: quick ? 3 : 10,
      seconds: quick ? 15 : 60,
    },
    copy('long-link-1', { full: 4e8, quick: 5e7 }, { partitions: 1, link: 'long' }),
    copy('long-link-8', { full: 1e9, quick: 2e8 }, { link: 'long' }),
  ]
}
