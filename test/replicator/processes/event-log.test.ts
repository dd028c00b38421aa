import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { FlowEvent } from '../../../replicator/flow/events.ts'
import type { TopicAcl } from '../../../replicator/kafka/acl-binding.ts'
import { logLineOf } from '../../../replicator/processes/event-log.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'

type Samples = { readonly [Kind in FlowEvent['kind']]: Extract<FlowEvent, { readonly kind: Kind }> }

const flow = flowId(regionAlias('us-east'), regionAlias('eu-west'))
const place = { flow, topic: 'orders', partition: 3 }
const pair = { flow, topic: 'orders', targetTopic: 'us-east.orders' }
const cluster = regionAlias('us-east')
const problem = { topic: 'orders', partition: 2, reason: 'it is hidden', wayOut: 'grant DESCRIBE' }

const acl: TopicAcl = {
  resource: 'orders',
  pattern: 'prefixed',
  principal: 'User:alice',
  host: '10.0.0.1',
  operation: 'READ',
  permission: 'ALLOW',
}

/** One of every kind: a kind that is added does not compile until it is here. */
const samples: Samples = {
  'target-topic-created': { ...pair, kind: 'target-topic-created', partitions: 4 },
  'target-topic-grown': { ...pair, kind: 'target-topic-grown', from: 4, to: 6 },
  'target-topic-wider': { ...pair, kind: 'target-topic-wider', sourcePartitions: 4, targetPartitions: 6 },
  'source-topic-gone': { ...pair, kind: 'source-topic-gone' },
  'problem-appeared': { flow, kind: 'problem-appeared', problem },
  'problem-cleared': { flow, kind: 'problem-cleared', problem },
  'configs-changed': {
    ...pair,
    kind: 'configs-changed',
    changes: [
      { kind: 'set', name: 'retention.ms', value: '1000' },
      { kind: 'delete', name: 'segment.bytes' },
    ],
  },
  'configs-refused': { ...pair, kind: 'configs-refused', reason: 'no', wayOut: 'grant ALTER_CONFIGS' },
  'configs-unknown': { ...pair, kind: 'configs-unknown', names: ['remote.storage.enable'] },
  'acls-changed': { flow, kind: 'acls-changed', added: [acl], removed: [{ ...acl, permission: 'DENY' }] },
  'acls-would-change': { flow, kind: 'acls-would-change', added: [], removed: [acl] },
  'acls-not-carried': { flow, kind: 'acls-not-carried', notes: [{ acl, reason: 'narrowed' }] },
  'acls-refused': { flow, kind: 'acls-refused', cluster, reason: 'no', wayOut: 'grant ALTER' },
  'look-failed': { flow, kind: 'look-failed', what: 'topics', reason: 'us-east does not answer' },
  'look-recovered': { flow, kind: 'look-recovered', what: 'topics' },
  'partition-started': {
    ...place,
    kind: 'partition-started',
    from: 'progress',
    sourceNext: 12n,
    recovered: 3,
  },
  'partition-stopped': { ...place, kind: 'partition-stopped', reason: 'damaged', wayOut: 'restore it' },
  'partition-waiting': { ...place, kind: 'partition-waiting', reason: 'refused.', wayOut: 'Grant WRITE.' },
  'partition-recovered': { ...place, kind: 'partition-recovered' },
  'partition-reencodes': { ...place, kind: 'partition-reencodes', reason: 'oversize' },
  'overrun-near': { ...place, kind: 'overrun-near', inMs: 2_580_000 },
  'overrun-averted': { ...place, kind: 'overrun-averted' },
  'gap-accepted': { ...place, kind: 'gap-accepted', fromOffset: 5n, toOffset: 10n },
  'cluster-trouble': { flow, kind: 'cluster-trouble', cluster, reason: 'no answer' },
  'cluster-recovered': { flow, kind: 'cluster-recovered', cluster },
  'progress-not-written': { flow, kind: 'progress-not-written', reason: 'no answer' },
  'maps-trouble': { flow, kind: 'maps-trouble', reason: 'no answer' },
  'maps-recovered': { flow, kind: 'maps-recovered' },
  'groups-trouble': { flow, kind: 'groups-trouble', reason: 'no answer' },
  'groups-recovered': { flow, kind: 'groups-recovered' },
  'mirror-topics-trouble': { flow, kind: 'mirror-topics-trouble', reason: 'no right to write' },
  'mirror-topics-recovered': { flow, kind: 'mirror-topics-recovered' },
  'groups-polled': { flow, kind: 'groups-polled', reason: 'no right to read' },
  'shard-lost': { flow, kind: 'shard-lost', shard: 2 },
  'sharing-trouble': { flow, kind: 'sharing-trouble', reason: 'no answer' },
  'sharing-recovered': { flow, kind: 'sharing-recovered' },
}

const messageOf = (kind: keyof Samples): string => logLineOf(samples[kind]).message

describe('the log line of an event', () => {
  for (const event of Object.values(samples)) {
    test(`${event.kind} is a sentence about its flow, with facts that JSON can hold`, () => {
      const { level, message, fields } = logLineOf(event)
      assert.ok(['info', 'warn', 'error'].includes(level))
      assert.match(message, /^us-east->eu-west: \S.*\S$/)
      assert.doesNotMatch(message, /undefined|\[object|NaN|\n|\.\./)
      assert.deepEqual(JSON.parse(JSON.stringify(fields)), fields)
      assert.equal(fields.flow, flow)
      assert.equal(fields.event, event.kind)
    })
  }

  test('names the place, the reason and the way out', () => {
    assert.equal(
      messageOf('partition-stopped'),
      'us-east->eu-west: orders partition 3 STOPPED: damaged. Restore it.',
    )
    assert.equal(
      messageOf('partition-waiting'),
      'us-east->eu-west: orders partition 3 waits: refused. Grant WRITE.',
    )
    const whole = { ...problem, partition: undefined }
    const { message } = logLineOf({ ...samples['problem-appeared'], problem: whole })
    assert.equal(message, 'us-east->eu-west: orders: it is hidden. Grant DESCRIBE.')
    assert.match(messageOf('partition-started'), /holds 3 records more than progress said/)
    assert.match(messageOf('overrun-near'), /overrun in 43 min /)
    assert.match(messageOf('gap-accepted'), /offsets 5 to 9 are left out/)
    assert.match(messageOf('configs-changed'), /set retention.ms=1000, segment.bytes back to its default/)
  })

  test('does not say the place or the way out twice', () => {
    const stopped = { ...samples['partition-stopped'] }
    const reason = 'orders partition 3: gone. Raise retention.'
    const { message } = logLineOf({ ...stopped, reason, wayOut: 'Raise retention.' })
    assert.equal(message, 'us-east->eu-west: orders partition 3 STOPPED: gone. Raise retention.')
  })

  test('what stops is an error, what waits a warning, what goes on is neither', () => {
    const levelOf = (kind: keyof Samples) => logLineOf(samples[kind]).level
    assert.equal(levelOf('partition-stopped'), 'error')
    assert.equal(levelOf('cluster-trouble'), 'error')
    assert.equal(levelOf('partition-waiting'), 'warn')
    assert.equal(levelOf('partition-recovered'), 'info')
  })

  test('offsets stay exact', () => {
    const sourceNext = 2n ** 60n + 1n
    assert.equal(
      logLineOf({ ...samples['partition-started'], sourceNext }).fields.sourceNext,
      `${sourceNext}`,
    )
  })
})
