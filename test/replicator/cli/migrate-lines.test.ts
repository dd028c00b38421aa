import assert from 'node:assert/strict'
import { test } from 'node:test'
import { handedOverLines, takenLines } from '../../../replicator/cli/migrate-lines.ts'

const place = (partition: number) => ({ topic: 'orders', partition, targetTopic: 'A.orders' })
const refused = { kind: 'refused', reason: 'it is so', wayOut: 'do that' } as const

test('what was taken is a table, and what was not says why', () => {
  const partitions = [
    { ...place(0), kind: 'taken', storedNext: 5n, beyond: 1200, sourceNext: 1205n },
    { ...place(1), kind: 'taken', storedNext: undefined, beyond: 3, sourceNext: 3n },
    { ...place(2), kind: 'ours', sourceNext: 8n },
    { ...place(3), kind: 'not-copied' },
    { ...place(4), ...refused },
  ] as const
  assert.deepEqual(takenLines(partitions, true), [
    'PARTITION  COPY      STORED NEXT  BEYOND  GOES ON AT',
    'orders/0   A.orders  5            +1,200  1205',
    'orders/1   A.orders  nothing      +3      3',
    "orders/2   A.orders                       8           left alone: it has Causeway's own progress",
    'orders/3   A.orders                                   never copied: it begins as the flow says',
    'orders/4   A.orders                                   would stay stopped: it is so; do that',
  ])
  assert.match(takenLines(partitions, false).at(-1) ?? '', / stays stopped: it is so; do that$/)
})

test('so is what was handed over', () => {
  const partitions = [
    { ...place(0), kind: 'handed-over', storedNext: 5n, sourceNext: 12n },
    { ...place(1), kind: 'mirror-makers', storedNext: 7n },
    { ...place(2), kind: 'not-copied' },
    { ...place(3), ...refused },
  ] as const
  assert.deepEqual(handedOverLines(partitions), [
    'PARTITION  COPY      STORED NEXT  GOES ON AT',
    'orders/0   A.orders  5            12',
    "orders/1   A.orders  7                        left alone: it is MirrorMaker 2's already",
    'orders/2   A.orders                           left alone: Causeway has not copied it',
    'orders/3   A.orders                           not handed over: it is so; do that',
  ])
})
