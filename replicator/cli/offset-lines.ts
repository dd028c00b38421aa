import type { CoarseWhy, NoMapReason, TranslatedOffset } from '../app/offset-lookup.ts'
import type { Style } from './output.ts'
import { formatCount } from './progress-line.ts'

/** A position as it is given on the command line, `topic/partition@offset`. */
export interface AskedPosition {
  readonly topic: string
  readonly partition: number
  /** The next offset to read. */
  readonly offset: bigint
}

/** Which way positions are translated, with the aliases of both sides. */
export interface Direction {
  readonly from: string
  readonly to: string
  readonly back: boolean
}

export interface TranslatedPosition {
  readonly asked: AskedPosition
  readonly answer: TranslatedOffset
}

/** @returns `undefined` when the text is no position */
export function parsePosition(text: string): AskedPosition | undefined {
  const [, topic, partition, offset] = /^([\w.-]+)\/(\d{1,9})@(\d{1,18})$/.exec(text) ?? []
  if (topic === undefined || partition === undefined || offset === undefined) return undefined
  return { topic, partition: Number(partition), offset: BigInt(offset) }
}

/** Whether reading can go on somewhere. */
export const hasAnswer = ({ answer }: TranslatedPosition): boolean =>
  answer.kind === 'exact' || answer.kind === 'between'

/** A line for a position: where it stands, then how good that is or what the user can do. */
export interface OffsetLine {
  readonly place: string
  readonly verdict: string
  readonly style: Style
  readonly detail: string
}

export function offsetLine({ asked, answer }: TranslatedPosition, direction: Direction): OffsetLine {
  const from = `${asked.topic}/${asked.partition}@${asked.offset}`
  const to = `${answer.topic}/${answer.partition}`
  switch (answer.kind) {
    case 'exact':
      return { place: `${from} -> ${to}@${answer.offset}`, verdict: 'exact', style: 'green', detail: '' }
    case 'between':
      return {
        place: `${from} -> ${to}@${answer.from} to @${answer.to}`,
        verdict: 'between',
        style: 'yellow',
        detail: `from ${answer.from} nothing is skipped and at most ${recordsAre(answer.to - answer.from)} read again${coarseText(answer)}`,
      }
    case 'not-copied-yet': {
      const { here, there } = sides(answer.last, direction)
      return {
        place: `${from} -> ${to}`,
        verdict: 'not copied yet',
        style: 'red',
        detail: `the map ends at ${here}, which is ${there} on ${direction.to}; ask again in a few seconds, while the flow runs`,
      }
    }
    case 'before-the-map': {
      const { here, there } = sides(answer.first, direction)
      return {
        place: `${from} -> ${to}`,
        verdict: 'before the map',
        style: 'red',
        detail: `the map begins at ${here}, which is ${there} on ${direction.to}; to skip nothing, read ${to} from its earliest offset`,
      }
    }
    case 'no-map':
      return {
        place: `${from} -> ${to}`,
        verdict: 'no map',
        style: 'red',
        detail: noMapText(answer.why, copyOf(answer, asked, direction)),
      }
  }
}

/** Why the logs did not tell more. */
export function coarseText({
  why,
  because,
}: {
  readonly why?: CoarseWhy
  readonly because?: string
}): string {
  return why === undefined ? '' : `; ${because ?? coarseTexts[why]}`
}

const coarseTexts: Readonly<Record<CoarseWhy, string>> = {
  cleaned: 'compaction has taken records of both logs, so that they cannot be counted',
  gone: 'retention has taken a part of the logs',
  'not-reached': 'a log ends before, or there is too much to read',
  contradiction: 'the two logs do not agree',
  'origins-unknown': 'which records of the source the flow forwards is not known',
  'producers-unknown': "which records of the target are the flow's is not known",
  're-created': "the source's topic is another one by now",
  unreadable: 'a log could not be read',
  'out-of-time': 'reading the logs took too long',
}

const sides = (
  { source, target }: { readonly source: bigint; readonly target: bigint },
  { back }: Direction,
) => (back ? { here: target, there: source } : { here: source, there: target })

/** Which topic is the copy, and where. */
const copyOf = (answer: TranslatedOffset, asked: AskedPosition, { from, to, back }: Direction) =>
  back ? { target: from, copy: asked.topic } : { target: to, copy: answer.topic }

/** `1 record is`, `2 records are`. */
export const recordsAre = (count: bigint): string =>
  count === 1n ? '1 record is' : `${formatCount(Number(count))} records are`

/** Why nothing is known of a partition, and what can be done. */
export function noMapText(
  why: NoMapReason,
  { target, copy }: { readonly target: string; readonly copy: string },
): string {
  const texts: Readonly<Record<NoMapReason, string>> = {
    'no-map-topic': `${target} holds no map of this topology yet: start causeway replicate, which writes it`,
    'no-copy': `${target} has no topic ${copy}: nothing was copied`,
    'not-in-map':
      'nothing was written of this partition: it does not exist, is not copied, or only since a few seconds',
    're-created':
      'what was written is about a former topic of this name, which was deleted: the flow has not gone on since',
  }
  return texts[why]
}
