import type { NameSelection } from '../topology/model.ts'
import { anchored, compileNames } from '../topology/selection.ts'

/**
 * What an expression does not select unless it comes with an exclusion of its own: MirrorMaker 2's default for
 * `groups.exclude`. Who names such a group gets it.
 */
const usuallyExcluded = anchored('console-consumer-.*|connect-.*|__.*')

/** `no-groups`: the flow follows none; `usually-excluded`: an expression takes it that excludes nothing by itself. */
export type GroupVerdict = 'followed' | 'no-groups' | 'own-group' | 'usually-excluded' | 'not-selected'

/**
 * Which groups a flow follows. Causeway's own (`flowGroupId`) never; MirrorMaker 2's workers, whose groups commit
 * nothing, need no exclusion.
 * @throws SyntaxError for an invalid expression; `resolveTopology` reports those as problems before
 */
export function compileGroups(selections: readonly NameSelection[]): (group: string) => boolean {
  const judge = judgeGroups(selections)
  return (group) => judge(group) === 'followed'
}

/** As {@link compileGroups}, with what decides. */
export function judgeGroups(selections: readonly NameSelection[]): (group: string) => GroupVerdict {
  const isPlain = (selection: NameSelection): boolean =>
    selection.kind === 'match' && selection.exclude === undefined
  const plain = compileNames(selections.filter(isPlain))
  const precise = compileNames(selections.filter((selection) => !isPlain(selection)))
  return (group) => {
    if (selections.length === 0) return 'no-groups'
    if (isOwnGroup(group)) return 'own-group'
    if (precise(group)) return 'followed'
    if (!plain(group)) return 'not-selected'
    return usuallyExcluded.test(group) ? 'usually-excluded' : 'followed'
  }
}

const isOwnGroup = (group: string): boolean => group.startsWith('causeway.')
