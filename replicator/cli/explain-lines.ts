import type { ExplainedGroup, ExplainedPartition } from '../app/explain-group.ts'
import type { ExplainReason, GroupStanding, Whose } from '../app/explain-partition.ts'
import { type ExplainNames, groupText, type ReasonText, reasonText } from './explain-reasons.ts'
import type { Style } from './output.ts'

export type { ExplainNames } from './explain-reasons.ts'

/** What is said of a partition: where it is, in a word how it stands, and below that the details. */
export interface ExplainLines {
  readonly place: string
  readonly verdict: string
  readonly style: Style
  readonly details: readonly string[]
}

/** How the group does on either side, and what keeps the whole of it from being followed. */
export function groupLines(explained: ExplainedGroup, names: ExplainNames): readonly string[] {
  const { source, target, leftAlone } = explained
  const width = Math.max(names.source.length, names.target.length)
  const lines = [
    `  ${names.source.padEnd(width)}  ${source.kind === 'known' ? standing(source.value) : `cannot be asked: ${source.reason}`}`,
    `  ${names.target.padEnd(width)}  ${standing(target)}`,
  ]
  if (leftAlone === undefined) return lines
  return [...lines, ...sentences(groupText(leftAlone, names))]
}

export function partitionLines(one: ExplainedPartition, names: ExplainNames): ExplainLines {
  const width = Math.max(names.source.length, names.target.length)
  const { topic, partition, targetTopic, isInStep, reason } = one
  const copy = targetTopic === topic ? '' : ` -> ${targetTopic}/${partition}`
  return {
    place: `${topic}/${partition}${copy}`,
    verdict: verdicts[reason],
    style: isInStep ? 'green' : isByDesign(reason) ? 'yellow' : 'red',
    details: [
      `  ${names.target.padEnd(width)}  ${onTarget(one, names)}`,
      `  ${names.source.padEnd(width)}  ${onSource(one, names)}`,
      ...(one.reason === 'in-step' ? [] : sentences(reasonText(one, names))),
    ],
  }
}

const verdicts: Readonly<Record<ExplainReason, string>> = {
  'in-step': 'in step',
  'in-step-at-start': 'in step',
  'in-step-between': 'in step, but for what was copied around a crash',
  'in-step-back': 'in step, from the target',
  'behind-back': 'behind the target',
  'source-away': 'as it was followed last',
  'share-group': 'share group',
  'other-protocol': 'no consumer group',
  'no-groups': 'not followed',
  'not-selected': 'not followed',
  'usually-excluded': 'not followed',
  'own-group': 'not followed',
  'shared-topics': 'not followed',
  'topic-not-copied': 'topic not copied',
  'partition-not-copied': 'partition not copied',
  'members-on-target': 'members on the target',
  'committed-on-target': "the target's own",
  'nothing-on-source': 'nothing to follow',
  'removed-on-source': 'gone on the source',
  'not-copied-yet': 'not copied yet',
  'before-the-map': 'before the map',
  'no-map': 'no map',
  behind: 'behind',
  'not-followed-yet': 'not followed yet',
  'gone-on-target': 'gone on the target',
  'would-go-back': 'ahead of what is known',
  'memory-unknown': 'unknown',
}

/** Nothing is wrong: somebody decided so. */
const isByDesign = (reason: ExplainReason): boolean =>
  reason === 'members-on-target' || reason === 'committed-on-target' || reason === 'removed-on-source'

function standing({ kind, members, type, state }: GroupStanding): string {
  if (kind === 'absent') return 'has no such group'
  const count = members === 0 ? 'no members' : members === 1 ? '1 member' : `${members} members`
  return `${type} group, ${state}, ${count}`
}

function onTarget({ facts, whose }: ExplainedPartition, names: ExplainNames): string {
  const { commit } = facts.target
  const at = commit === undefined ? 'nothing committed' : String(commit.offset)
  return `${at}${whoseText(whose, names)}`
}

function whoseText(whose: Whose, { source }: ExplainNames): string {
  switch (whose.kind) {
    case 'flow':
      return `, committed by the flow for ${whose.followed.position} on ${source}, ${timeOf(whose.followed.atMs)}`
    case 'target':
    case 'nobody': {
      const who = whose.kind === 'target' ? ', committed by its own members or a tool' : ''
      const { former } = whose
      return former === undefined
        ? who
        : `${who}; the flow last meant ${former.offset}, for ${former.position} on ${source}, ${timeOf(former.atMs)}`
    }
    case 'unknown':
      return ', committed by somebody'
  }
}

function onSource({ facts: { source, place } }: ExplainedPartition, { target }: ExplainNames): string {
  if (source.kind === 'unknown') return 'unknown'
  const { commit } = source.value
  if (commit === undefined) return 'nothing committed'
  switch (place?.kind) {
    case 'exact':
      return `${commit.position}, which is exactly ${place.offset} on ${target}`
    case 'between':
      return `${commit.position}, which is ${place.from} to ${place.to} on ${target}`
    default:
      return String(commit.position)
  }
}

/** `2026-11-23 08:41:07 UTC` */
const timeOf = (atMs: number): string =>
  new Date(atMs).toISOString().replace('T', ' ').replace(/\..*/, ' UTC')

const sentences = ({ why, wayOut }: ReasonText): readonly string[] =>
  [why, wayOut].flatMap((text) => (text === undefined ? [] : [`  ${text}`]))
