import type { AclOperation, TopicAcl } from '../kafka/acl-binding.ts'

/** Everybody (org.apache.kafka.metadata.authorizer.StandardAuthorizer). */
export const everybody = 'User:*'

/** What an allowed operation allows beside itself (KIP-11, KIP-133). Denied ones deny nothing but themselves. */
const implied: Partial<Readonly<Record<AclOperation, AclOperation>>> = {
  READ: 'DESCRIBE',
  WRITE: 'DESCRIBE',
  DELETE: 'DESCRIBE',
  ALTER: 'DESCRIBE',
  ALTER_CONFIGS: 'DESCRIBE_CONFIGS',
}

/** What a replicator does with the copies on its target; see the README's table of permissions. */
const neededOnTarget: readonly AclOperation[] = [
  'ALL',
  'CREATE',
  'READ',
  'WRITE',
  'ALTER',
  'ALTER_CONFIGS',
  'DESCRIBE',
  'DESCRIBE_CONFIGS',
]

/** Whether the rule would stop any replicator: one that denies everybody something that it needs on its copies. */
export function deniesReplicators({ permission, principal, operation }: TopicAcl): boolean {
  return permission === 'DENY' && principal === everybody && neededOnTarget.includes(operation)
}

/** Whether the deny may take away some of what the other rule allows. */
export function mayOverride(deny: TopicAcl, allow: TopicAcl): boolean {
  return (
    samePrincipals(deny.principal, allow.principal) &&
    sameHosts(deny.host, allow.host) &&
    sameOperations(deny.operation, allow.operation) &&
    shareTopics(deny, allow)
  )
}

type Resource = Pick<TopicAcl, 'resource' | 'pattern'>

/** Whether there can be a topic that both cover. */
export function shareTopics(a: Resource, b: Resource): boolean {
  if (a.pattern === 'literal' && a.resource !== '*') return covers(b, a.resource)
  if (b.pattern === 'literal' && b.resource !== '*') return covers(a, b.resource)
  const [one, other] = [prefixOf(a), prefixOf(b)]
  return one.startsWith(other) || other.startsWith(one)
}

export function covers(acl: Resource, topic: string): boolean {
  if (acl.pattern === 'literal' && acl.resource !== '*') return acl.resource === topic
  return topic.startsWith(prefixOf(acl))
}

/** What the names of all covered topics begin with, or `undefined` for a rule about one topic. */
export function prefixCovered(acl: Resource): string | undefined {
  return acl.pattern === 'literal' && acl.resource !== '*' ? undefined : prefixOf(acl)
}

const prefixOf = ({ pattern, resource }: Resource): string => (pattern === 'prefixed' ? resource : '')

function sameOperations(denied: AclOperation, allowed: AclOperation): boolean {
  if (denied === 'ALL' || allowed === 'ALL') return true
  return denied === allowed || denied === implied[allowed]
}

const samePrincipals = (a: string, b: string): boolean => a === b || a === everybody || b === everybody
const sameHosts = (a: string, b: string): boolean => a === b || a === '*' || b === '*'
