import { type AclOperation, aclKey, type TopicAcl } from '../kafka/acl-binding.ts'
import { covers, deniesReplicators, mayOverride, prefixCovered, shareTopics } from './acl-access.ts'
import type { AclNames } from './acl-names.ts'

/** A rule that the flow has made on its target. */
export interface OwnAcl {
  readonly acl: TopicAcl
  /** The source topic whose copy it is about; `undefined` for a pattern. */
  readonly topic: string | undefined
}

export interface AclPlanInput {
  /** Every rule about topics of each cluster. */
  readonly source: readonly TopicAcl[]
  readonly target: readonly TopicAcl[]
  readonly names: AclNames
  /** Whether the flow takes a source topic, be it there or not. */
  readonly takes: (topic: string) => boolean
  /** The source topics that have a copy now. */
  readonly copied: readonly string[]
  /** What the flow remembers that it made. */
  readonly ours: readonly OwnAcl[]
  /** Those whom the replicator logs in as, on either side. Their rules are left as they are. */
  readonly principals: ReadonlySet<string>
  readonly role: CopyRole
}

/** `passive`: nobody but the flow writes to the copies. `active`: the target's own clients write there, too. */
export type CopyRole = 'passive' | 'active'

/** Why a rule of the source is not on the target, or not as it is. */
export type AclNoteReason =
  | 'own-principal'
  | 'denies-replicator'
  | 'denied-elsewhere'
  | 'withheld'
  | 'unknown-operation'
  | 'narrowed'
  | 'expanded'

export interface AclNote {
  /** As it is on the source. */
  readonly acl: TopicAcl
  readonly reason: AclNoteReason
}

export interface AclPlan {
  readonly add: readonly OwnAcl[]
  /** Ours, and no longer wanted. */
  readonly remove: readonly TopicAcl[]
  /** Ours, no longer wanted, and already taken away by somebody else. */
  readonly forget: readonly TopicAcl[]
  readonly notes: readonly AclNote[]
}

/**
 * What makes the target's rules follow the source's. Never allows anybody on a copy what the source does not allow
 * on the topic: a rule that allows is held back where a rule that denies cannot come along. Rules that the flow did not
 * make are never taken away.
 */
export function planAcls(input: AclPlanInput): AclPlan {
  const { wanted, notes } = carryAll(input)
  const onTarget = new Set(input.target.map(aclKey))
  const isHandsOff = ({ principal }: TopicAcl): boolean => input.principals.has(principal)
  // What a flow no longer takes keeps what it was allowed, and so follows what is denied.
  const isFollowed = ({ acl, topic }: OwnAcl): boolean =>
    acl.permission === 'DENY' || topic === undefined || input.takes(topic)
  const add = [...wanted].filter(([key, own]) => !onTarget.has(key) && isFollowed(own))
  const gone = input.ours.map(({ acl }) => acl).filter((acl) => !wanted.has(aclKey(acl)) && !isHandsOff(acl))
  return {
    add: add.map(([, own]) => own),
    remove: gone.filter((acl) => onTarget.has(aclKey(acl))),
    forget: gone.filter((acl) => !onTarget.has(aclKey(acl))),
    notes,
  }
}

/** What a passive copy may be allowed. Whoever has all of them has no more than these of it. */
const harmless: readonly AclOperation[] = ['READ', 'DESCRIBE', 'DESCRIBE_CONFIGS']

interface Carried {
  /** By key, as they are to be on the target. */
  readonly wanted: ReadonlyMap<string, OwnAcl>
  readonly notes: readonly AclNote[]
}

function carryAll(input: AclPlanInput): Carried {
  const { source, names, role } = input
  const topics = topicsOf(input)
  const concerns = concernOf(input, topics)
  const denies = source.filter(({ permission }) => permission === 'DENY')
  const leftBehind = denies.filter(deniesReplicators)
  const wanted = new Map<string, OwnAcl>()
  const notes: AclNote[] = []
  const patterns: TopicAcl[] = []
  const carry = (acl: TopicAcl, isExact: boolean): void => {
    const operations = operationsOf(acl, role)
    for (const { resource, pattern, topic } of placesOf(acl, isExact, topics, names)) {
      for (const operation of operations) {
        const own = { acl: { ...acl, resource, pattern, operation }, topic }
        wanted.set(aclKey(own.acl), own)
      }
    }
    if (!isExact) notes.push({ acl, reason: 'expanded' })
    if (operations.length > 1) notes.push({ acl, reason: 'narrowed' })
  }
  for (const acl of source.filter((one) => one.permission === 'ALLOW' && concerns(one))) {
    const reason = reasonToLeave(acl, input, leftBehind)
    if (reason !== undefined) {
      notes.push({ acl, reason })
      continue
    }
    // New topics must not be allowed before they are denied.
    const isExact =
      isExactOn(acl, names) && denies.every((deny) => !shareTopics(deny, acl) || isExactOn(deny, names))
    carry(acl, isExact)
    if (isExact && prefixCovered(acl) !== undefined) patterns.push(acl)
  }
  for (const acl of denies) {
    // One that speaks of no copy yet comes along where a pattern would allow the copies to come.
    if (!concerns(acl) && !patterns.some((allow) => mayOverride(acl, allow))) continue
    const reason = reasonToLeave(acl, input, [])
    if (reason === undefined) carry(acl, isExactOn(acl, names))
    else notes.push({ acl, reason })
  }
  return { wanted, notes }
}

/** Whether a rule says anything about the flow's copies. */
function concernOf({ ours, names }: AclPlanInput, topics: ReadonlySet<string>): (acl: TopicAcl) => boolean {
  // The topics that a pattern of ours was made for may be gone, and their copies still there.
  const own = new Set(ours.filter(({ acl }) => acl.pattern === 'prefixed').map(({ acl }) => acl.resource))
  return (acl) => {
    const prefix = prefixCovered(acl)
    if (prefix === undefined) return topics.has(acl.resource)
    const renamed = names.prefix(prefix)
    if (renamed !== undefined && own.has(renamed)) return true
    for (const topic of topics) if (covers(acl, topic)) return true
    return false
  }
}

/** The topics that patterns are expanded to: what has a copy, had one, or is to have one and is named by a rule. */
function topicsOf({ source, copied, ours, takes }: AclPlanInput): ReadonlySet<string> {
  const named = source.filter((acl) => prefixCovered(acl) === undefined && takes(acl.resource))
  return new Set([
    ...copied,
    ...ours.flatMap(({ topic }) => (topic === undefined ? [] : [topic])),
    ...named.map(({ resource }) => resource),
  ])
}

/** @param leftBehind rules that deny, and do not come along */
function reasonToLeave(
  acl: TopicAcl,
  { principals, role }: AclPlanInput,
  leftBehind: readonly TopicAcl[],
): AclNoteReason | undefined {
  if (principals.has(acl.principal)) return 'own-principal'
  if (acl.operation === 'UNKNOWN') return 'unknown-operation'
  if (deniesReplicators(acl)) return 'denies-replicator'
  const operations = operationsOf(acl, role)
  if (operations.length === 0) return 'withheld'
  const isDenied = operations.some((operation) =>
    leftBehind.some((deny) => mayOverride(deny, { ...acl, operation })),
  )
  return isDenied ? 'denied-elsewhere' : undefined
}

function operationsOf({ permission, operation }: TopicAcl, role: CopyRole): readonly AclOperation[] {
  if (permission === 'DENY' || role === 'active') return [operation]
  if (operation === 'ALL') return harmless
  return harmless.includes(operation) ? [operation] : []
}

function isExactOn(acl: TopicAcl, names: AclNames): boolean {
  const prefix = prefixCovered(acl)
  return prefix === undefined || names.prefix(prefix) !== undefined
}

/** Where on the target a rule of the source belongs. */
function placesOf(
  acl: TopicAcl,
  isExact: boolean,
  topics: ReadonlySet<string>,
  names: AclNames,
): readonly (Pick<TopicAcl, 'resource' | 'pattern'> & { readonly topic: string | undefined })[] {
  const prefix = prefixCovered(acl)
  const literal = (topic: string) => ({
    resource: names.topic(topic),
    pattern: 'literal' as const,
    topic: topics.has(topic) ? topic : undefined,
  })
  if (prefix === undefined) return [literal(acl.resource)]
  const renamed = isExact ? names.prefix(prefix) : undefined
  if (renamed !== undefined) return [{ resource: renamed, pattern: 'prefixed', topic: undefined }]
  return [...topics].filter((topic) => covers(acl, topic)).map(literal)
}
