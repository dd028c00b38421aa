import type { TakenFrom } from '../migrate/from-mirror-maker.ts'
import type { HandedOver } from '../migrate/to-mirror-maker.ts'
import type { AdoptedCommit } from '../processes/migrate.ts'
import { alignColumns } from './output.ts'
import { formatCount } from './progress-line.ts'

/** A table of what becomes of each partition; `dryRun` only changes its words. */
export function takenLines(partitions: readonly TakenFrom[], isPlan: boolean): readonly string[] {
  const header = ['PARTITION', 'COPY', 'STORED NEXT', 'BEYOND', 'GOES ON AT', '']
  return table(header, partitions, (one) => {
    switch (one.kind) {
      case 'taken':
        return [offset(one.storedNext), `+${formatCount(one.beyond)}`, offset(one.sourceNext), '']
      case 'ours':
        return ['', '', offset(one.sourceNext), "left alone: it has Causeway's own progress"]
      case 'not-copied':
        return ['', '', '', 'never copied: it begins as the flow says']
      case 'refused':
        return [
          '',
          '',
          '',
          `${isPlan ? 'would stay stopped' : 'stays stopped'}: ${one.reason}; ${one.wayOut}`,
        ]
    }
  })
}

/** As {@link takenLines}, for the way back. */
export function handedOverLines(partitions: readonly HandedOver[]): readonly string[] {
  const header = ['PARTITION', 'COPY', 'STORED NEXT', 'GOES ON AT', '']
  return table(header, partitions, (one) => {
    switch (one.kind) {
      case 'handed-over':
        return [offset(one.storedNext), offset(one.sourceNext), '']
      case 'mirror-makers':
        return [offset(one.storedNext), '', "left alone: it is MirrorMaker 2's already"]
      case 'not-copied':
        return ['', '', 'left alone: Causeway has not copied it']
      case 'refused':
        return ['', '', `not handed over: ${one.reason}; ${one.wayOut}`]
    }
  })
}

const GROUPS_NAMED_MAX = 5

/** Whose commits on the target the flow goes on from; no line for none. */
export function adoptedLines(adopted: readonly AdoptedCommit[]): readonly string[] {
  if (adopted.length === 0) return []
  const groups = [...new Set(adopted.map(({ group }) => group))]
  const named = groups.slice(0, GROUPS_NAMED_MAX).join(', ')
  const more = groups.length > GROUPS_NAMED_MAX ? ` and ${groups.length - GROUPS_NAMED_MAX} more` : ''
  const count = adopted.length === 1 ? '1 commit' : `${adopted.length} commits`
  return [`groups: ${count} of ${named}${more}, from which they are followed on`]
}

const offset = (value: bigint | undefined): string => (value === undefined ? 'nothing' : String(value))

function table<
  T extends { readonly topic: string; readonly partition: number; readonly targetTopic: string },
>(
  header: readonly string[],
  partitions: readonly T[],
  cells: (one: T) => readonly string[],
): readonly string[] {
  const rows = partitions.map((one) => [`${one.topic}/${one.partition}`, one.targetTopic, ...cells(one)])
  return alignColumns([header, ...rows])
}
