import type { Pattern, RegionRole } from './model.ts'
import type { TopologySpec } from './spec.ts'

/** One region as the patterns' makers take it. */
export interface PatternRegion {
  readonly alias: string
}

type SharedSpec = Omit<TopologySpec, 'pattern' | 'regions'>

/** Declares a topology in which one region serves and another follows it. Check it with `resolveTopology`. */
export function activePassivePair(
  spec: SharedSpec & {
    readonly active: PatternRegion
    readonly passive: PatternRegion
    readonly witness?: PatternRegion
  },
): TopologySpec {
  const { active, passive, witness, ...shared } = spec
  const members: [PatternRegion, RegionRole][] = [
    [active, 'active'],
    [passive, 'passive'],
  ]
  return { ...shared, pattern: 'active-passive', regions: regionsOf(members, witness) }
}

/** Declares a topology in which every region serves and follows every other. Check it with `resolveTopology`. */
export function activeActiveMesh(
  spec: SharedSpec & { readonly peers: readonly PatternRegion[]; readonly witness?: PatternRegion },
): TopologySpec {
  const { peers, witness, ...shared } = spec
  const members = peers.map((peer): [PatternRegion, RegionRole] => [peer, 'peer'])
  return { ...shared, pattern: 'active-active', regions: regionsOf(members, witness) }
}

function regionsOf(
  members: readonly [PatternRegion, RegionRole][],
  witness: PatternRegion | undefined,
): Record<string, { role: RegionRole }> {
  const all: readonly [PatternRegion, RegionRole][] =
    witness === undefined ? members : [...members, [witness, 'witness']]
  const regions: Record<string, { role: RegionRole }> = {}
  for (const [{ alias }, role] of all) {
    if (Object.hasOwn(regions, alias)) throw new RangeError(`two regions are called "${alias}"`)
    regions[alias] = { role }
  }
  return regions
}

/** The directed pairs of regions that a pattern connects; none for `custom`, which lists its own. */
export function connectedPairs<R extends { readonly role: RegionRole }>(
  pattern: Pattern,
  regions: readonly R[],
): { readonly source: R; readonly target: R }[] {
  const having = (role: RegionRole) => regions.filter((region) => region.role === role)
  switch (pattern) {
    case 'active-passive':
      return having('active').flatMap((source) => having('passive').map((target) => ({ source, target })))
    case 'active-active': {
      const peers = having('peer')
      return peers.flatMap((source) =>
        peers.filter((target) => target !== source).map((target) => ({ source, target })),
      )
    }
    case 'custom':
      return []
  }
}

/** What is wrong with the roles of a pattern's regions, or `undefined`. */
export function rolesProblem(pattern: Pattern, roles: readonly RegionRole[]): string | undefined {
  const count = (role: RegionRole) => roles.filter((other) => other === role).length
  switch (pattern) {
    case 'active-passive': {
      if (count('active') === 1 && count('passive') === 1 && count('peer') === 0) return undefined
      const found = `${count('active')} active, ${count('passive')} passive and ${count('peer')} peer`
      return `an active-passive topology has one active and one passive region, not ${found}`
    }
    case 'active-active': {
      const others = count('active') + count('passive')
      if (others > 0) return 'regions of an active-active topology are peers, none is active or passive'
      return count('peer') >= 2 ? undefined : 'an active-active topology has at least two peers'
    }
    case 'custom':
      return undefined
  }
}
