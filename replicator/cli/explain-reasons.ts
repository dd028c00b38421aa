import type { ExplainedPartition } from '../app/explain-group.ts'
import type { ExplainReason, GroupReason } from '../app/explain-partition.ts'
import { coarseText, noMapText, recordsAre } from './offset-lines.ts'

/** What is talked about: the group, and the aliases of both regions. */
export interface ExplainNames {
  readonly group: string
  readonly source: string
  readonly target: string
  /** `causeway.<topology>.groups` */
  readonly groupsTopic: string
}

export interface ReasonText {
  readonly why: string
  /** What can be done, where there is something. */
  readonly wayOut: string | undefined
}

/** Where groups are selected. */
const key = '"groups" in causeway.yaml, at its top or in the flow\'s own entry under "flows",'

/** Why a flow leaves a whole group alone. */
export function groupText(reason: GroupReason, { group, target }: ExplainNames): ReasonText {
  const name = `To have it followed, name it there, { name: ${JSON.stringify(group)} }, and restart causeway replicate.`
  switch (reason) {
    case 'share-group':
      return {
        why: 'Share groups keep their positions record by record in a topic of their own: Causeway does not follow them.',
        wayOut: `Set the group's config share.auto.offset.reset on ${target} before its first consumer starts there; Kafka's default is latest.`,
      }
    case 'other-protocol':
      return {
        why: 'On one side this is not a group of consumers: its positions are nothing that could be followed.',
        wayOut: undefined,
      }
    case 'no-groups':
      return { why: `${key} selects no groups for this flow.`, wayOut: name }
    case 'not-selected':
      return { why: `${key} does not select it.`, wayOut: name }
    case 'usually-excluded':
      return {
        why: `${key} takes it by an expression without "exclude", and such expressions leave out console-consumer-*, connect-* and __*.`,
        wayOut: name,
      }
    case 'shared-topics':
      return {
        why: "The flow's topics keep their names and are written in several regions: where a group stands then depends on all of their records, and is not followed by this version.",
        wayOut: undefined,
      }
    case 'own-group':
      return {
        why: "Groups called causeway.* are Causeway's own, and belong to their cluster.",
        wayOut: undefined,
      }
  }
}

/** Why a partition of a group stands where it does, and what can be done. */
export function reasonText(one: ExplainedPartition, names: ExplainNames): ReasonText {
  const { reason } = one
  if (isOfGroup(reason)) return groupText(reason, names)
  return textsOf(one, names)[reason]
}

const groupReasons: readonly ExplainReason[] = [
  'share-group',
  'other-protocol',
  'no-groups',
  'not-selected',
  'usually-excluded',
  'own-group',
  'shared-topics',
] satisfies readonly GroupReason[]

const isOfGroup = (reason: ExplainReason): reason is GroupReason => groupReasons.includes(reason)

type OwnReason = Exclude<ExplainReason, GroupReason>
type SteadyReason =
  | 'in-step'
  | 'in-step-at-start'
  | 'in-step-between'
  | 'in-step-back'
  | 'behind-back'
  | 'source-away'
  | 'nothing-on-source'
  | 'removed-on-source'
  | 'would-go-back'

const textsOf = (one: ExplainedPartition, names: ExplainNames): Readonly<Record<OwnReason, ReasonText>> => ({
  ...steadyTexts(one, names),
  ...copyTexts(one, names),
  ...followTexts(one, names),
})

const only = (why: string): ReasonText => ({ why, wayOut: undefined })

/** Nothing need be done. */
function steadyTexts(
  { facts, whose }: ExplainedPartition,
  { source, target }: ExplainNames,
): Readonly<Record<SteadyReason, ReasonText>> {
  const { place } = facts
  return {
    'in-step': only(''),
    'in-step-at-start': only(
      `What lies below ${facts.target.start ?? 0n} was deleted on ${target}: there is nothing older to read.`,
    ),
    'in-step-between': only(
      place?.kind === 'between'
        ? `Copied around a crash: from ${place.from} nothing is skipped, and at most ${recordsAre(place.to - place.from)} read again${coarseText(place)}.`
        : '',
    ),
    'in-step-back': only(
      `The group works on ${target}, and the flow has brought ${source} to where it stands.`,
    ),
    'behind-back': only(
      `The group works on ${target}; the flow brings ${source} to where it stands within a second, while it runs.`,
    ),
    'source-away': {
      why: `${source} cannot be asked: ${facts.source.kind === 'unknown' ? facts.source.reason : ''}`,
      wayOut:
        whose.kind === 'flow'
          ? `Who goes on here reads on where the group stood on ${source} when it was followed last.`
          : undefined,
    },
    'nothing-on-source': only(`The group has committed nothing for it on ${source}.`),
    'removed-on-source': only(
      `Its commit on ${source} expired or was deleted; what the flow committed on ${target} is not renewed any more.`,
    ),
    'would-go-back': only(
      'Less is known of the position now than when it was followed. What was right then is right still, so the flow leaves it.',
    ),
  }
}

/** It depends on what is copied. */
function copyTexts({ topic, targetTopic, facts }: ExplainedPartition, { source, target }: ExplainNames) {
  const { place } = facts
  return {
    'topic-not-copied': {
      why: `The flow does not copy topic ${topic}.`,
      wayOut: 'To have it copied, add it to "topics" in causeway.yaml and restart causeway replicate.',
    },
    'partition-not-copied': only(
      `The flow copies other partitions of ${topic} only ("partitionRange" under "topics" in causeway.yaml).`,
    ),
    'not-copied-yet': {
      why:
        place?.kind === 'not-copied-yet'
          ? `The map ends at ${place.last.source} on ${source}, which is ${place.last.target} on ${target}: above that nothing is known to be copied.`
          : '',
      wayOut: 'Ask again in a few seconds, while the flow runs.',
    },
    'before-the-map': {
      why:
        place?.kind === 'before-the-map'
          ? `The map begins at ${place.first.source} on ${source}, which is ${place.first.target} on ${target}: below that nothing is known.`
          : '',
      wayOut: `To skip nothing, the flow puts such a group where the log begins on ${target}, at ${facts.target.start ?? 0n}.`,
    },
    'no-map': only(
      place?.kind === 'no-map'
        ? `No map: ${noMapText(place.why, { target, copy: targetTopic })}.`
        : 'Nothing is known of the partition.',
    ),
  }
}

/** It depends on whose the group is, and on the flow's being at work. */
function followTexts({ facts }: ExplainedPartition, { group, source, target, groupsTopic }: ExplainNames) {
  const again =
    'The flow follows within a second: ask again. If it stays so, see whether causeway replicate runs, and what its log says of groups.'
  const giveBack = `delete the group there (kafka-consumer-groups.sh --delete --group ${group}); the flow commits again within a minute.`
  const unread = facts.remembered.kind === 'unknown' ? facts.remembered.reason : ''
  return {
    'members-on-target': {
      why: `The group has members on ${target}, who commit for themselves: until it is gone there the flow does not move it.`,
      wayOut: `To let ${source} rule again, stop them and ${giveBack}`,
    },
    'committed-on-target': {
      why: `The commit on ${target} is none of the flow's, so the flow does not touch it.`,
      wayOut: `To let ${source} rule again, ${giveBack}`,
    },
    behind: { why: `The group has moved on ${source} since.`, wayOut: again },
    'not-followed-yet': { why: 'The flow has not committed for it yet.', wayOut: again },
    'gone-on-target': {
      why: `What the flow committed on ${target} expired there or was deleted.`,
      wayOut: `The flow commits again with the group's next commit on ${source}, or when it renews what it committed.`,
    },
    'memory-unknown': {
      why: `It is not where the commit on ${source} leads, and ${groupsTopic}, which tells the flow's commits from others, cannot be read: ${unread}`,
      wayOut: `Grant READ for ${groupsTopic} on ${target}.`,
    },
  }
}
