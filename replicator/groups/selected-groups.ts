import type { NameSelection } from '../topology/model.ts'
import { anchored, compileNames } from '../topology/selection.ts'

/**
 * What an expression does not select unless it comes with an exclusion of its own: MirrorMaker 2's default for
 * `groups.exclude`. Who names such a group gets it.
 */
const usuallyExcluded = anchored('console-consumer-.*|connect-.*|__.*')

/**
 * Which groups a flow follows. Causeway's own (`flowGroupId`) never; MirrorMaker 2's workers, whose groups commit
 * nothing, need no exclusion.
 * @throws SyntaxError for an invalid expression; `resolveTopology` reports those as problems before
 */
export function compileGroups(selections: readonly NameSelection[]): (group: string) => boolean {
  const isPlain = (selection: NameSelection): boolean =>
    selection.kind === 'match' && selection.exclude === undefined
  const plain = compileNames(selections.filter(isPlain))
  const precise = compileNames(selections.filter((selection) => !isPlain(selection)))
  return (group) => !isOwnGroup(group) && (precise(group) || (plain(group) && !usuallyExcluded.test(group)))
}

const isOwnGroup = (group: string): boolean => group.startsWith('causeway.')
