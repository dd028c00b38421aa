import type { Flow } from '../topology/model.ts'
import { affixes } from '../topology/naming.ts'

/** How the names in a source's rules are called on the target. */
export interface AclNames {
  topic(source: string): string
  /**
   * What the copies of exactly the topics that begin so begin with on the target, and nothing else there does;
   * `undefined` where no prefix says it.
   */
  prefix(source: string): string | undefined
}

/**
 * A prefix is exact when the flow's naming puts something before names and nothing after them, and no other flow into
 * the same cluster makes names that begin alike. Where names stay as they are, the target's own topics begin so, too.
 */
export function aclNames({ flows }: { readonly flows: readonly Flow[] }, flow: Flow): AclNames {
  const { before, after } = affixes(flow.naming, flow.source, flow.target)
  const others = flows
    .filter((other) => other.id !== flow.id && other.target === flow.target)
    .map((other) => affixes(other.naming, other.source, other.target).before)
  return {
    topic: (source) => before + source + after,
    prefix(source) {
      if (before === '' || after !== '') return undefined
      const renamed = before + source
      return others.some((other) => other.startsWith(renamed) || renamed.startsWith(other))
        ? undefined
        : renamed
    },
  }
}
