import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { ExplainedGroup, ExplainedPartition } from '../../../replicator/app/explain-group.ts'
import type { ExplainReason } from '../../../replicator/app/explain-partition.ts'
import { groupLines, partitionLines } from '../../../replicator/cli/explain-lines.ts'
import { sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'

const names = {
  group: 'billing',
  source: 'us-east',
  target: 'eu',
  groupsTopic: 'causeway.shop.groups',
}
const empty = { kind: 'empty', members: 0, type: 'classic', state: 'Empty' } as const
const followed = {
  position: sourceOffset(98n),
  offset: targetOffset(108n),
  metadata: '',
  atMs: Date.UTC(2026, 10, 23, 8, 41, 7, 250),
}

function partition(
  reason: ExplainReason,
  changes: Partial<ExplainedPartition> & { readonly place?: ExplainedPartition['facts']['place'] } = {},
): ExplainedPartition {
  const { place, ...rest } = changes
  return {
    topic: 'orders',
    partition: 3,
    targetTopic: 'us-east.orders',
    reason,
    isInStep: false,
    whose: { kind: 'flow', followed },
    facts: {
      selection: 'followed',
      copied: 'yes',
      source: { kind: 'known', value: { group: empty, commit: { position: 100n, metadata: '' } } },
      target: { group: empty, commit: { offset: targetOffset(108n), metadata: '' }, start: 7n },
      remembered: { kind: 'known', value: [followed] },
      carriedBack: [],
      place,
    },
    ...rest,
  }
}

const reasons: Readonly<Record<ExplainReason, RegExp>> = {
  'in-step': /^$/,
  'in-step-at-start': /below 7 was deleted on eu/,
  'in-step-between': /from 105 nothing is skipped, and at most 3 records are read again/,
  'in-step-back': /works on eu, and the flow has brought us-east/,
  'behind-back': /works on eu; the flow brings us-east/,
  'source-away': /us-east cannot be asked/,
  'share-group': /share\.auto\.offset\.reset on eu/,
  'other-protocol': /not a group of consumers/,
  'no-groups': /selects no groups.*\{ name: "billing" \}/s,
  'not-selected': /does not select it.*\{ name: "billing" \}/s,
  'usually-excluded': /leave out console-consumer-\*.*\{ name: "billing" \}/s,
  'own-group': /Causeway's own/,
  'shared-topics': /written in several regions/,
  'topic-not-copied': /does not copy topic orders.*"topics" in causeway\.yaml/s,
  'partition-not-copied': /"partitionRange"/,
  'members-on-target': /members on eu.*stop them and delete the group there.*--group billing/s,
  'committed-on-target': /none of the flow's.*delete the group there.*--group billing/s,
  'nothing-on-source': /committed nothing for it on us-east/,
  'removed-on-source': /commit on us-east expired or was deleted/,
  'not-copied-yet': /ends at 90 on us-east, which is 95 on eu.*Ask again/s,
  'before-the-map': /begins at 200 on us-east, which is 210 on eu.*begins on eu, at 7/s,
  'no-map': /eu has no topic us-east\.orders/,
  behind: /moved on us-east since.*causeway replicate/s,
  'not-followed-yet': /has not committed for it yet.*causeway replicate/s,
  'gone-on-target': /committed on eu expired there/,
  'would-go-back': /Less is known/,
  'memory-unknown': /causeway\.shop\.groups.*Grant READ for causeway\.shop\.groups on eu/s,
}

const places: Partial<Record<ExplainReason, ExplainedPartition['facts']['place']>> = {
  'in-step-between': { kind: 'between', from: 105n, to: 108n },
  'not-copied-yet': { kind: 'not-copied-yet', last: { source: 90n, target: 95n } },
  'before-the-map': { kind: 'before-the-map', first: { source: 200n, target: 210n } },
  'no-map': { kind: 'no-map', why: 'no-copy' },
}

describe('what is said of a group', () => {
  test('where it stands on either side, whose commit that is, and when', () => {
    const place = { kind: 'exact', offset: 110n, isNextRecord: true } as const
    assert.deepEqual(partitionLines(partition('behind', { place }), names), {
      place: 'orders/3 -> us-east.orders/3',
      verdict: 'behind',
      style: 'red',
      details: [
        '  eu       108, committed by the flow for 98 on us-east, 2026-11-23 08:41:07 UTC',
        '  us-east  100, which is exactly 110 on eu',
        '  The group has moved on us-east since.',
        '  The flow follows within a second: ask again. If it stays so, see whether causeway replicate runs, and what its log says of groups.',
      ],
    })
    const theirs = partitionLines(
      partition('members-on-target', { targetTopic: 'orders', whose: { kind: 'target', former: followed } }),
      names,
    )
    assert.deepEqual([theirs.place, theirs.style], ['orders/3', 'yellow'])
    assert.equal(
      theirs.details[0],
      '  eu       108, committed by its own members or a tool; the flow last meant 108, for 98 on us-east, 2026-11-23 08:41:07 UTC',
    )
    assert.equal(partitionLines(partition('in-step', { isInStep: true }), names).details.length, 2)
  })

  for (const [reason, expected] of Object.entries(reasons) as [ExplainReason, RegExp][]) {
    test(`${reason}: why, and what can be done`, () => {
      const { details, verdict } = partitionLines(partition(reason, { place: places[reason] }), names)
      assert.match(details.slice(2).join('\n'), expected)
      assert.notEqual(verdict, '')
    })
  }

  test('how the whole group does', () => {
    const explained: ExplainedGroup = {
      group: 'billing',
      source: { kind: 'unknown', reason: 'nobody answers' },
      target: { kind: 'has-members', members: 1, type: 'consumer', state: 'Stable' },
      leftAlone: 'not-selected',
      partitions: [],
      leftOut: [],
    }
    const lines = groupLines(explained, names)
    assert.deepEqual(lines.slice(0, 2), [
      '  us-east  cannot be asked: nobody answers',
      '  eu       consumer group, Stable, 1 member',
    ])
    assert.match(lines.slice(2).join('\n'), reasons['not-selected'])
    const absent = { kind: 'absent', members: 0, type: '', state: '' } as const
    const none = groupLines({ ...explained, target: absent, leftAlone: undefined }, names)
    assert.deepEqual(none.slice(1), ['  eu       has no such group'])
  })
})
