/** What an ACL may allow or deny (KIP-11, KIP-133). `UNKNOWN`: an operation that this version does not know. */
export type AclOperation =
  | 'ALL'
  | 'READ'
  | 'WRITE'
  | 'CREATE'
  | 'DELETE'
  | 'ALTER'
  | 'DESCRIBE'
  | 'CLUSTER_ACTION'
  | 'DESCRIBE_CONFIGS'
  | 'ALTER_CONFIGS'
  | 'IDEMPOTENT_WRITE'
  | 'UNKNOWN'

/** `prefixed` (KIP-290) covers every name that begins so; the literal name `*` covers all. */
export type AclPatternType = 'literal' | 'prefixed'

/** One rule about a topic, or about the topics that a pattern covers. Rules about other resources are not read. */
export interface TopicAcl {
  readonly resource: string
  readonly pattern: AclPatternType
  /** `User:alice`; `User:*` is everybody. */
  readonly principal: string
  /** An address; `*` is every one. */
  readonly host: string
  readonly operation: AclOperation
  /** What is denied is denied whatever else is allowed. */
  readonly permission: 'ALLOW' | 'DENY'
}

/** Which rules are asked for. What is left out matches everything. */
export interface TopicAclFilter {
  readonly resource?: string
  /** `covering`: every rule that says something about the topic `resource`, by whatever pattern. Default: any. */
  readonly pattern?: AclPatternType | 'covering'
  readonly principal?: string
}

/** Text that is the same for equal rules, and no others. */
export function aclKey(acl: TopicAcl): string {
  const { resource, pattern, principal, host, operation, permission } = acl
  return JSON.stringify([pattern, resource, principal, host, operation, permission])
}
