import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type RouteContext, routeBatch } from '../../../replicator/flow/batch-route.ts'
import { type BatchFields, buildBatch, recordsOf } from '../../simulation/record-batches.ts'

const three = recordsOf(
  [
    ['a', '1'],
    ['b', '2'],
    ['c', '3'],
  ],
  1000,
)
const gapped = three.filter(({ offsetDelta }) => offsetDelta !== 1)
const context: RouteContext = {
  position: 10n,
  aborted: false,
  foreign: false,
  targetBatchBytesMax: 1000,
  targetStamps: false,
}

interface Row {
  readonly title: string
  readonly records?: typeof three
  readonly fields?: BatchFields
  readonly context?: Partial<RouteContext>
  readonly route: string
}

const rows: readonly Row[] = [
  { title: 'a plain batch', route: 'forward' },
  { title: 'a batch behind a gap', fields: { baseOffset: 12n }, route: 'forward' },
  {
    title: 'a transactional batch',
    fields: { transactional: true, producerId: 4n, producerEpoch: 0, baseSequence: 0 },
    route: 'forward',
  },
  { title: 'a delete horizon', fields: { deleteHorizonMs: 5 }, route: 'forward' },
  { title: 'a compressed batch', fields: { codec: 'zstd' }, route: 'forward' },
  {
    title: 'a batch that ends before the position',
    fields: { baseOffset: 7n },
    route: 'skip before-position',
  },
  {
    title: 'a batch that ends at the position',
    fields: { baseOffset: 8n },
    route: 'reencode resume-inside-batch',
  },
  {
    title: 'a batch that begins before the position',
    fields: { baseOffset: 9n },
    route: 'reencode resume-inside-batch',
  },
  { title: 'a control batch', fields: { control: true, transactional: true }, route: 'skip control' },
  {
    title: 'a control batch before the position',
    fields: { control: true, baseOffset: 7n },
    route: 'skip before-position',
  },
  { title: 'an aborted batch', context: { aborted: true }, route: 'skip aborted' },
  {
    title: 'an aborted batch around the position',
    context: { aborted: true },
    fields: { baseOffset: 9n },
    route: 'skip aborted',
  },
  { title: 'a batch that a replicator wrote', context: { foreign: true }, route: 'skip foreign' },
  {
    title: 'a gapped batch that a replicator wrote',
    records: gapped,
    context: { foreign: true },
    route: 'skip foreign',
  },
  {
    title: 'a batch that a replicator wrote before the position',
    context: { foreign: true },
    fields: { baseOffset: 7n },
    route: 'skip before-position',
  },
  { title: 'an emptied batch', records: [], fields: { lastOffsetDelta: 2 }, route: 'skip empty' },
  { title: 'a hole in the middle', records: gapped, route: 'reencode compacted-gaps' },
  {
    title: 'a hole at the end',
    records: three.slice(0, 2),
    fields: { lastOffsetDelta: 2 },
    route: 'reencode compacted-gaps',
  },
  { title: 'an append time', fields: { logAppendTime: true }, route: 'reencode log-append-time' },
  {
    title: 'an append time for a target that stamps',
    fields: { logAppendTime: true },
    context: { targetStamps: true },
    route: 'forward',
  },
  {
    title: 'a batch of the target’s limit',
    context: { targetBatchBytesMax: buildBatch(three).length },
    route: 'forward',
  },
  {
    title: 'a batch one byte over it',
    context: { targetBatchBytesMax: buildBatch(three).length - 1 },
    route: 'reencode oversize',
  },
]

describe('the route of a batch', () => {
  for (const row of rows) {
    test(`${row.title}: ${row.route}`, () => {
      // Somewhere inside a larger buffer, as in a fetch answer.
      const batch = buildBatch(row.records ?? three, { baseOffset: 10n, ...row.fields })
      const buffer = Buffer.concat([Buffer.alloc(17, 0xee), batch, Buffer.alloc(9, 0xee)])
      const route = routeBatch(buffer, 17, batch.length, { ...context, ...row.context })
      assert.equal(route.kind === 'forward' ? route.kind : `${route.kind} ${route.reason}`, row.route)
    })
  }
})
