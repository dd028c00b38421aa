import type { TopicAcl } from '../kafka/acl-binding.ts'
import type { AclNoteReason } from './acl-plan.ts'

/** `ALLOW READ to User:alice on topic orders`, `DENY ALL to User:bob from 10.0.0.1 on topics beginning with pay`. */
export function aclWords({ permission, operation, principal, host, pattern, resource }: TopicAcl): string {
  const from = host === '*' ? '' : ` from ${host}`
  return `${permission} ${operation} to ${principal}${from} on ${placeWords(pattern, resource)}`
}

function placeWords(pattern: TopicAcl['pattern'], resource: string): string {
  if (pattern === 'prefixed') return `topics beginning with ${resource}`
  return resource === '*' ? 'all topics' : `topic ${resource}`
}

/** Why a rule of the source is not on the target, or not as it is. */
export const noteWords: Readonly<Record<AclNoteReason, string>> = {
  'own-principal': 'the replicator itself has it',
  'denies-replicator': 'it would stop the replicator, too',
  'denied-elsewhere': 'a rule that denies part of it could not come along',
  withheld: 'only the flow writes to its copies',
  'unknown-operation': 'this version does not know the operation',
  narrowed: 'on a copy it becomes READ, DESCRIBE and DESCRIBE_CONFIGS',
  expanded: 'no pattern on the target covers exactly the copies, so that each copy gets a rule of its own',
}
