import { KafkaError, MapFormatError, type OffsetLookup } from '../app/offset-lookup.ts'
import { systemRandom } from '../clock/random.ts'
import { systemClock } from '../clock/system-clock.ts'
import type { CausewayConfig } from '../config/load-config.ts'
import type { Cluster } from '../kafka/cluster.ts'
import type { CommittedOffset } from '../kafka/consumer-groups.ts'
import { createKafkaCluster } from '../kafka/kafka-cluster.ts'
import type { Flow } from '../topology/model.ts'
import { CommandFailure } from './command-failure.ts'
import { exitCode } from './exit-codes.ts'
import {
  type AskedPosition,
  type Direction,
  hasAnswer,
  offsetLine,
  parsePosition,
  type TranslatedPosition,
} from './offset-lines.ts'
import { flowOf, openLookup, settingsOf, taking } from './offsets-flow.ts'
import { type Output, openOutput } from './output.ts'
import { readConfig } from './read-config.ts'

/** The command line of `causeway offsets translate`. */
export interface OffsetsTranslateArguments {
  readonly positions: readonly string[]
  readonly config: string
  readonly flow?: string
  readonly group?: string
  readonly back?: boolean
  readonly json?: boolean
}

/** What is to be translated. */
interface Asked {
  readonly positions: readonly AskedPosition[]
  /** What a group has committed of topics that the flow does not copy, as `topic/partition`. */
  readonly leftOut: readonly string[]
  /** Of the source's topics, as far as it was asked. */
  readonly topicIds: ReadonlyMap<string, string>
}

/**
 * Looks positions up, those of the command line or what a group has committed.
 * @returns the exit code
 * @throws CommandFailure when there is nothing to look up, or a cluster does not answer
 */
export async function runOffsetsTranslate(args: OffsetsTranslateArguments): Promise<number> {
  const output = openOutput()
  const { group, back = false } = args
  if ((group === undefined) === (args.positions.length === 0))
    throw new CommandFailure(
      exitCode.usage,
      group === undefined
        ? 'give positions such as payments/0@4198, or --group'
        : 'give positions or --group',
    )
  const given = args.positions.map(positionOf)
  const config = readConfig(args.config, output)
  const flow = flowOf(config, args.flow, given, back)
  const lookup = openLookup(config, flow)
  try {
    const asked =
      group === undefined
        ? { positions: given, leftOut: [], topicIds: new Map() }
        : await committed(config, flow, group, back)
    const translated = await translateAll(lookup, asked, back)
    const direction = { from: back ? flow.target : flow.source, to: back ? flow.source : flow.target, back }
    if (args.json === true)
      output.json(asJson({ flow, group, translated, leftOut: asked.leftOut }, direction))
    else print(output, { translated, leftOut: asked.leftOut }, direction)
    return translated.every(hasAnswer) ? exitCode.ok : exitCode.failed
  } catch (error) {
    if (error instanceof KafkaError || error instanceof MapFormatError)
      throw new CommandFailure(exitCode.failed, error.message, { cause: error })
    throw error
  } finally {
    await lookup.close()
  }
}

function positionOf(text: string): AskedPosition {
  const position = parsePosition(text)
  if (position !== undefined) return position
  throw new CommandFailure(
    exitCode.usage,
    `${text}: write TOPIC/PARTITION@OFFSET, such as payments/0@4198, with the next offset to read`,
  )
}

/** What a group has committed on the side that is translated from. */
async function committed(config: CausewayConfig, flow: Flow, group: string, back: boolean): Promise<Asked> {
  const alias = back ? flow.target : flow.source
  const settings = settingsOf(config, alias)
  const cluster = createKafkaCluster({ alias, settings, clock: systemClock, random: systemRandom })
  try {
    const [answer] = await cluster.groupOffsets([{ group, partitions: 'all' }], { requireStable: false })
    if (answer === undefined) throw new Error('OffsetFetch answered less than it was asked')
    if (!answer.result.ok) throw answer.result.error
    const commits = answer.result.value.flatMap(({ topic, partition, result }) => {
      if (!result.ok) throw result.error
      return result.value === undefined ? [] : [positionIn(topic, partition, result.value)]
    })
    if (commits.length === 0)
      throw new CommandFailure(exitCode.failed, `group ${group} has committed nothing on ${alias}`)
    const aliases = config.topology.regions.map((region) => region.alias)
    const takes = taking(flow, aliases, back)
    const sorted = commits.toSorted((one, other) =>
      one.topic < other.topic ? -1 : one.topic > other.topic ? 1 : one.partition - other.partition,
    )
    const positions = sorted.filter(({ topic }) => takes(topic))
    const leftOut = sorted.filter(({ topic }) => !takes(topic))
    if (positions.length === 0)
      throw new CommandFailure(
        exitCode.failed,
        `group ${group} has committed nothing on ${alias} that ${flow.id} copies, only ${leftOut[0]?.topic}`,
      )
    return {
      positions,
      leftOut: leftOut.map(({ topic, partition }) => `${topic}/${partition}`),
      topicIds: back ? new Map() : await idsOf(cluster, positions),
    }
  } finally {
    await cluster.close()
  }
}

/** A group's commits are about the topics as they are now, not about former ones of their names. */
async function idsOf(
  cluster: Cluster,
  positions: readonly AskedPosition[],
): Promise<ReadonlyMap<string, string>> {
  const found = await cluster.describeTopics([...new Set(positions.map(({ topic }) => topic))])
  const ids = new Map<string, string>()
  for (const [name, lookup] of found)
    if (lookup.kind === 'found' && lookup.topic.id !== undefined) ids.set(name, lookup.topic.id)
  return ids
}

const positionIn = (topic: string, partition: number, { offset }: CommittedOffset): AskedPosition => ({
  topic,
  partition,
  offset,
})

async function translateAll(
  lookup: OffsetLookup,
  { positions, topicIds }: Asked,
  back: boolean,
): Promise<readonly TranslatedPosition[]> {
  const translated: TranslatedPosition[] = []
  for (const asked of positions) {
    const { topic, partition, offset } = asked
    const topicId = topicIds.get(topic)
    const answer = await (back
      ? lookup.translateBack(topic, partition, offset)
      : lookup.translate(topic, partition, offset, topicId === undefined ? {} : { topicId }))
    translated.push({ asked, answer })
  }
  return translated
}

interface Told {
  readonly translated: readonly TranslatedPosition[]
  readonly leftOut: readonly string[]
}

function print(output: Output, { translated, leftOut }: Told, direction: Direction): void {
  const lines = translated.map((one) => offsetLine(one, direction))
  const width = Math.max(...lines.map(({ place }) => place.length))
  for (const { place, verdict, style, detail } of lines) {
    const end = detail === '' ? '' : `: ${detail}`
    output.line(`${place.padEnd(width)}  ${output.styled(style, verdict)}${end}`)
  }
  if (leftOut.length > 0) output.note(`left out, because the flow does not copy them: ${shortened(leftOut)}`)
}

const NAMED_MAX = 10
const shortened = (names: readonly string[]): string =>
  names.length <= NAMED_MAX
    ? names.join(', ')
    : `${names.slice(0, NAMED_MAX).join(', ')} and ${names.length - NAMED_MAX} more`

/** Offsets as text: JSON numbers are not exact. */
function asJson(
  { flow, group, translated, leftOut }: Told & { readonly flow: Flow; readonly group: string | undefined },
  { from, to }: Direction,
): object {
  const positions = translated.map(({ asked, answer }) => ({ ...asked, answer }))
  const result = { flow: flow.id, from, to, group, positions, leftOut }
  const text = JSON.stringify(result, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  return JSON.parse(text) as object
}
