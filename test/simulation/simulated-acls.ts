import { aclKey, type TopicAcl, type TopicAclFilter } from '../../replicator/kafka/acl-binding.ts'
import { type Answer, answered, refused } from './broker-answer.ts'

const INVALID_REQUEST = 42

/** The rules about topics that a simulated cluster keeps. Nothing enforces them. */
export class SimulatedAcls {
  readonly #acls = new Map<string, TopicAcl>()
  /** Refuses everything with this code; 54 is a cluster without an authorizer, 31 a client that may not ask. */
  refusal: number | undefined
  /** Rules that cannot be made, with the code that is answered. */
  readonly unmakeable = new Map<string, number>()

  get all(): readonly TopicAcl[] {
    return [...this.#acls.values()]
  }

  describe(filter: TopicAclFilter): Answer<readonly TopicAcl[]> {
    if (this.refusal !== undefined) return refused(this.refusal)
    return answered(this.all.filter((acl) => matches(acl, filter)))
  }

  create(acl: TopicAcl): Answer<void> {
    const code = this.refusal ?? this.unmakeable.get(aclKey(acl))
    if (code !== undefined) return refused(code)
    if (acl.resource === '' || acl.operation === 'UNKNOWN') return refused(INVALID_REQUEST)
    this.#acls.set(aclKey(acl), acl)
    return answered(undefined)
  }

  delete(acl: TopicAcl): Answer<void> {
    if (this.refusal !== undefined) return refused(this.refusal)
    this.#acls.delete(aclKey(acl))
    return answered(undefined)
  }
}

function matches(acl: TopicAcl, { resource, pattern, principal }: TopicAclFilter): boolean {
  if (principal !== undefined && acl.principal !== principal) return false
  if (pattern === 'covering') return resource === undefined || covers(acl, resource)
  return (
    (pattern === undefined || acl.pattern === pattern) &&
    (resource === undefined || acl.resource === resource)
  )
}

function covers(acl: TopicAcl, name: string): boolean {
  if (acl.pattern === 'prefixed') return name.startsWith(acl.resource)
  return acl.resource === name || acl.resource === '*'
}
