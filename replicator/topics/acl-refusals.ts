import type { KafkaError } from '../kafka/errors.ts'
import type { RegionAlias } from '../topology/model.ts'

/** Why a flow cannot follow rules now, or not all of them. Its records are copied all the same. */
export interface AclRefusal {
  readonly cluster: RegionAlias
  readonly reason: string
  /** What the user can do. */
  readonly wayOut: string
}

export type AclAction = 'who-are-we' | 'describe' | 'alter'

const SECURITY_DISABLED = 54
const CLUSTER_AUTHORIZATION_FAILED = 31

/** A cluster's refusal, in the words of what was to be done. */
export function aclRefusalOf(action: AclAction, cluster: RegionAlias, error?: KafkaError): AclRefusal {
  if (action === 'who-are-we' || error === undefined) {
    return {
      cluster,
      reason: `by a certificate or a token, only ${cluster} itself knows which principal this flow logs in as, so its rules cannot be told from others`,
      wayOut: 'name it in aclSync.principals, such as User:replicator',
    }
  }
  const what = action === 'describe' ? 'read' : 'changed'
  return {
    cluster,
    reason: `the ACLs of ${cluster} could not be ${what}: ${error.kind}, ${error.summary}`,
    wayOut: wayOutOf(action, cluster, error),
  }
}

function wayOutOf(action: AclAction, cluster: RegionAlias, error: KafkaError): string {
  switch (error.code) {
    case SECURITY_DISABLED:
      return `set aclSync to mode: off for this flow, or give the brokers of ${cluster} an authorizer`
    case CLUSTER_AUTHORIZATION_FAILED:
      return action === 'describe'
        ? `grant this flow's principal DESCRIBE on the cluster resource of ${cluster}`
        : `grant this flow's principal ALTER on the cluster resource of ${cluster}, or set aclSync to mode: report`
    default:
      return error.wayOut ?? 'it is tried again at each interval'
  }
}
