import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { terminalLog } from '../../../replicator/cli/replicate-log.ts'
import type { FlowEvent } from '../../../replicator/flow/events.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'

const flow = flowId(regionAlias('us-east'), regionAlias('eu-west'))
const started = (
  topic: string,
  partition: number,
  from: 'progress' | 'earliest' = 'earliest',
): FlowEvent => ({ flow, kind: 'partition-started', topic, partition, from, sourceNext: 0n, recovered: 0 })

function opened() {
  const lines: string[] = []
  const log = terminalLog({
    note: (text) => lines.push(text),
    styledNote: (style, text) => `${String(style)}|${text}`,
  })
  return { log, lines }
}

describe('the log on a terminal', () => {
  test('tells partitions that start together in one line, by where they start', () => {
    const { log, lines } = opened()
    for (let partition = 0; partition < 1200; partition++) log.event(started('orders', partition))
    log.event(started('payments', 0, 'progress'))
    assert.deepEqual(lines, [])
    log.flush()
    assert.deepEqual(lines, [
      'dim|us-east->eu-west: 1,200 partitions of orders started, from earliest',
      'dim|us-east->eu-west: 1 partition of payments started, from progress',
    ])
    log.flush()
    assert.equal(lines.length, 2)
  })

  test('names a few topics and counts the others', () => {
    const { log, lines } = opened()
    for (const topic of ['a', 'b', 'c', 'd', 'e']) log.event(started(topic, 0))
    log.flush()
    assert.deepEqual(lines, [
      'dim|us-east->eu-west: 5 partitions of a, b, c and 2 more topics started, from earliest',
    ])
  })

  test('keeps the order: what was held back comes before what follows', () => {
    const { log, lines } = opened()
    log.event(started('orders', 0))
    log.event({ flow, kind: 'partition-recovered', topic: 'orders', partition: 0 })
    log.line({ level: 'error', message: 'the end', fields: {} })
    assert.deepEqual(lines, [
      'dim|us-east->eu-west: 1 partition of orders started, from earliest',
      'dim|us-east->eu-west: orders partition 0 goes on',
      'red|the end',
    ])
  })
})
