import pino from 'pino'
import type { FlowEvent } from '../flow/events.ts'
import { type LogLine, logLineOf } from '../processes/event-log.ts'
import type { Output } from './output.ts'
import { formatCount } from './progress-line.ts'

/** Where `causeway replicate` says what happens. */
export interface ReplicateLog {
  line(line: LogLine): void
  event(event: FlowEvent): void
  /** Says what was held back to be said together. */
  flush(): void
}

/** One JSON object per line on stdout, for machines; every event by itself. */
export function jsonLog(): ReplicateLog {
  const logger = pino({
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (level) => ({ level }) },
  })
  const line = ({ level, message, fields }: LogLine): void => logger[level](fields, message)
  return { line, event: (event) => line(logLineOf(event)), flush: () => {} }
}

type Started = Extract<FlowEvent, { kind: 'partition-started' }>

const colours = { info: 'dim', warn: 'yellow', error: 'red' } as const
const TOPICS_NAMED_MAX = 3

/** Sentences on a terminal. Partitions that start at about the same time are told together. */
export function terminalLog(output: Pick<Output, 'note' | 'styledNote'>): ReplicateLog {
  let started: Started[] = []
  const print = ({ level, message }: LogLine): void => output.note(output.styledNote(colours[level], message))
  const flush = (): void => {
    const groups = Map.groupBy(started, ({ flow, from }) => `${flow}: ${from}`)
    started = []
    for (const group of groups.values()) print({ level: 'info', message: startLine(group), fields: {} })
  }
  const line = (text: LogLine): void => {
    flush()
    print(text)
  }
  return {
    line,
    event(event) {
      if (event.kind === 'partition-started') started.push(event)
      else line(logLineOf(event))
    },
    flush,
  }
}

function startLine(started: readonly Started[]): string {
  const topics = [...new Set(started.map(({ topic }) => topic))]
  const named = topics.slice(0, TOPICS_NAMED_MAX).join(', ')
  const more = topics.length - TOPICS_NAMED_MAX
  const others = more > 0 ? ` and ${formatCount(more)} more topics` : ''
  const { flow, from } = started[0] ?? { flow: '', from: '' }
  const partitions = started.length === 1 ? '1 partition' : `${formatCount(started.length)} partitions`
  return `${flow}: ${partitions} of ${named}${others} started, from ${from}`
}
