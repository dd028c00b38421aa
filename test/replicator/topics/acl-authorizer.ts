import type { AclOperation, TopicAcl } from '../../../replicator/kafka/acl-binding.ts'

const implying: Partial<Record<AclOperation, readonly AclOperation[]>> = {
  DESCRIBE: ['READ', 'WRITE', 'DELETE', 'ALTER'],
  DESCRIBE_CONFIGS: ['ALTER_CONFIGS'],
}

export interface Access {
  readonly principal: string
  readonly host: string
  readonly operation: AclOperation
  readonly topic: string
}

/** What a StandardAuthorizer without super users says, written down once more and apart from the product. */
export function isAllowed(acls: readonly TopicAcl[], { principal, host, operation, topic }: Access): boolean {
  const about = acls.filter(
    (acl) =>
      [principal, 'User:*'].includes(acl.principal) &&
      [host, '*'].includes(acl.host) &&
      (acl.pattern === 'prefixed' ? topic.startsWith(acl.resource) : [topic, '*'].includes(acl.resource)),
  )
  const denied = about.some((acl) => acl.permission === 'DENY' && [operation, 'ALL'].includes(acl.operation))
  const enough: readonly string[] = [operation, 'ALL', ...(implying[operation] ?? [])]
  return !denied && about.some((acl) => acl.permission === 'ALLOW' && enough.includes(acl.operation))
}
