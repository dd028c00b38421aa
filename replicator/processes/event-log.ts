import type { FlowEvent } from '../flow/events.ts'
import { roughDuration } from '../topology/duration.ts'
import { aclEventWords } from './acl-log.ts'

/** One line of a log: how grave, what happened in a sentence, and the facts for machines. */
export interface LogLine {
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** Says an event in words. */
export function logLineOf(event: FlowEvent): LogLine {
  const { flow, kind, ...facts } = event
  const fields = { flow, event: kind, ...plain(facts) }
  const line = (level: LogLine['level'], message: string): LogLine => ({
    level,
    message: `${flow}: ${message}`,
    fields,
  })
  switch (event.kind) {
    case 'target-topic-created':
      return line('info', `created ${event.targetTopic} with ${event.partitions} partitions`)
    case 'target-topic-grown':
      return line('info', `grew ${event.targetTopic} from ${event.from} to ${event.to} partitions`)
    case 'target-topic-wider':
      return line(
        'warn',
        `${event.targetTopic} has ${event.targetPartitions} partitions, its source ${event.sourcePartitions}: records keep their partition, the others stay empty`,
      )
    case 'source-topic-gone':
      return line('warn', `${event.topic} was deleted on the source; ${event.targetTopic} stays`)
    case 'problem-appeared':
      return line('error', `${place(event.problem)}: ${explained(event.problem)}`)
    case 'problem-cleared':
      return line('info', `${place(event.problem)}: solved: ${event.problem.reason}`)
    case 'configs-changed':
      return line(
        'info',
        `${event.targetTopic}: ${event.changes.map((change) => (change.kind === 'set' ? `set ${change.name}=${change.value}` : `${change.name} back to its default`)).join(', ')}`,
      )
    case 'configs-refused':
      return line('warn', `${event.targetTopic} keeps its configs: ${explained(event)}`)
    case 'configs-unknown':
      return line('warn', `${event.targetTopic}: the target has no config ${event.names.join(', ')}`)
    case 'look-failed':
      return line('error', `cannot look at ${event.what}: ${event.reason}`)
    case 'look-recovered':
      return line('info', `sees ${event.what} again`)
    case 'partition-started':
      return line(
        'info',
        `${place(event)} starts at ${event.sourceNext}, from ${event.from}${event.recovered === 0 ? '' : `: the target holds ${event.recovered} records more than progress said`}`,
      )
    case 'partition-stopped':
      return line('error', `${place(event)} STOPPED: ${explained(event)}`)
    case 'partition-waiting':
      return line('warn', `${place(event)} waits: ${explained(event)}`)
    case 'partition-recovered':
      return line('info', `${place(event)} goes on`)
    case 'partition-reencodes':
      return line(
        'info',
        `${place(event)} has batches that cannot pass as they are (${event.reason}): re-encoded`,
      )
    case 'overrun-near':
      return line(
        'warn',
        `${place(event)}: the source's retention deletes records that are not copied yet: overrun in ${roughDuration(event.inMs)} at the present rate`,
      )
    case 'overrun-averted':
      return line('info', `${place(event)} is out of the reach of the source's retention again`)
    case 'gap-accepted':
      return line(
        'warn',
        `${place(event)}: gap accepted, offsets ${event.fromOffset} to ${event.toOffset - 1n} are left out`,
      )
    default:
      return line(...flowWords(event))
  }
}

/** Events that are about the flow as a whole. */
function flowWords(
  event: Extract<
    FlowEvent,
    {
      kind:
        | 'cluster-trouble'
        | 'cluster-recovered'
        | 'shard-lost'
        | 'sharing-trouble'
        | 'sharing-recovered'
        | 'progress-not-written'
        | 'maps-trouble'
        | 'maps-recovered'
        | 'groups-trouble'
        | 'groups-recovered'
        | 'groups-polled'
        | 'mirror-topics-trouble'
        | 'mirror-topics-recovered'
        | 'acls-changed'
        | 'acls-would-change'
        | 'acls-not-carried'
        | 'acls-refused'
    }
  >,
): [LogLine['level'], string] {
  switch (event.kind) {
    case 'cluster-trouble':
      return ['error', `${event.cluster}: ${event.reason}`]
    case 'cluster-recovered':
      return ['info', `${event.cluster} answers again`]
    case 'shard-lost':
      return ['warn', `shard ${event.shard} was taken over by another process`]
    case 'sharing-trouble':
      return ['error', `cannot agree with other replicas on shards: ${event.reason}`]
    case 'sharing-recovered':
      return ['info', 'agrees with the other replicas on shards again']
    case 'progress-not-written':
      return ['warn', `progress was not written, it is tried again: ${event.reason}`]
    case 'maps-trouble':
      return ['warn', `offset maps are not kept just now, it is tried again: ${event.reason}`]
    case 'maps-recovered':
      return ['info', 'offset maps are kept again']
    case 'groups-trouble':
      return ['warn', `not every group is followed just now, it is tried again: ${event.reason}`]
    case 'groups-recovered':
      return ['info', 'groups are followed again']
    case 'groups-polled':
      return [
        'info',
        `groups are asked where they stand, for the offsets topic is not readable: ${event.reason}`,
      ]
    case 'mirror-topics-trouble':
      return ['warn', `MirrorMaker 2's topics are not all written, it is tried again: ${event.reason}`]
    case 'mirror-topics-recovered':
      return ['info', "MirrorMaker 2's topics are written again"]
    case 'acls-changed':
    case 'acls-would-change':
    case 'acls-not-carried':
      return aclEventWords(event)
    case 'acls-refused':
      return ['warn', `ACLs are not followed: ${explained(event)}`]
  }
}

function place(at: { readonly topic: string; readonly partition: number | undefined }): string {
  return at.partition === undefined ? at.topic : `${at.topic} partition ${at.partition}`
}

/** Reason and way out as sentences; what they are about has been said. */
function explained(what: {
  readonly topic?: string
  readonly partition?: number | undefined
  readonly reason: string
  readonly wayOut: string
}): string {
  const { topic, partition, reason, wayOut } = what
  const said = topic === undefined ? '' : `${place({ topic, partition })}: `
  const bare = said !== '' && reason.startsWith(said) ? reason.slice(said.length) : reason
  // Errors end with the same advice where they know one.
  const advice = bare.endsWith(wayOut) ? '' : ` ${capitalized(sentence(wayOut))}`
  return `${sentence(bare)}${advice}`
}

const sentence = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`)

const capitalized = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)

function plain(facts: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(facts).map(([name, value]) => [name, typeof value === 'bigint' ? String(value) : value]),
  )
}
