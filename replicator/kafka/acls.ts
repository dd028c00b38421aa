import {
  type Acl,
  type AclFilter,
  createAclsV1,
  createAclsV2,
  createAclsV3,
  deleteAclsV1,
  deleteAclsV2,
  deleteAclsV3,
  describeAclsV1,
  describeAclsV2,
  describeAclsV3,
} from '@platformatic/kafka'
import type { AclOperation, TopicAcl, TopicAclFilter } from './acl-binding.ts'
import { versioned } from './api-versions.ts'
import type { Outcome, Result } from './cluster.ts'
import { type ErrorPlace, protocolError } from './errors.ts'
import type { Requests } from './requests.ts'
import { retryingEach } from './retrying.ts'

/** From the first version that has patterns (KIP-290) on. */
const describeAclsApi = versioned<AclFilter, describeAclsV3.DescribeAclsResponse>('DescribeAcls', 29, {
  1: (connection, filter) => describeAclsV1.api.async(connection, filter),
  2: (connection, filter) => describeAclsV2.api.async(connection, filter),
  3: (connection, filter) => describeAclsV3.api.async(connection, filter),
})

const createAclsApi = versioned<Acl[], createAclsV3.CreateAclsResponse>('CreateAcls', 30, {
  1: (connection, acls) => createAclsV1.api.async(connection, acls),
  2: (connection, acls) => createAclsV2.api.async(connection, acls),
  3: (connection, acls) => createAclsV3.api.async(connection, acls),
})

const deleteAclsApi = versioned<AclFilter[], deleteAclsV3.DeleteAclsResponse>('DeleteAcls', 31, {
  1: (connection, filters) => deleteAclsV1.api.async(connection, filters),
  2: (connection, filters) => deleteAclsV2.api.async(connection, filters),
  3: (connection, filters) => deleteAclsV3.api.async(connection, filters),
})

/** The protocol's numbers (org.apache.kafka.common.acl, .resource). */
const topicResource = 2
const any = 1
const patterns = { covering: 2, literal: 3, prefixed: 4 } as const
const permissions = { DENY: 2, ALLOW: 3 } as const
const operations = {
  ALL: 2,
  READ: 3,
  WRITE: 4,
  CREATE: 5,
  DELETE: 6,
  ALTER: 7,
  DESCRIBE: 8,
  CLUSTER_ACTION: 9,
  DESCRIBE_CONFIGS: 10,
  ALTER_CONFIGS: 11,
  IDEMPOTENT_WRITE: 12,
  UNKNOWN: 0,
} as const satisfies Readonly<Record<AclOperation, number>>
const operationNames = new Map<number, AclOperation>(
  Object.entries(operations).map(([name, number]) => [number, name as AclOperation]),
)

/** KRaft makes one metadata transaction of a request's rules, and takes at most 10 000 records in one. */
const aclsPerRequest = 1000

/** DescribeAcls, of any broker. */
export async function describeAcls(
  requests: Requests,
  filter: TopicAclFilter,
  signal: AbortSignal | undefined,
): Promise<Result<readonly TopicAcl[]>> {
  const place = { cluster: requests.cluster, during: 'DescribeAcls' }
  const asked: AclFilter = {
    resourceType: topicResource,
    resourceName: filter.resource ?? null,
    resourcePatternType: filter.pattern === undefined ? any : patterns[filter.pattern],
    principal: filter.principal ?? null,
    host: null,
    operation: any,
    permissionType: any,
  }
  const results = await retryingEach(requests.retry, place, signal, ['acls'], async (_, inner) => {
    const { errorCode, errorMessage, resources } = await requests.toAny(describeAclsApi, asked, inner)
    const result: Result<readonly TopicAcl[]> =
      errorCode === 0
        ? { ok: true, value: resources.flatMap(readResource) }
        : { ok: false, error: protocolError(errorCode, place, errorMessage) }
    return new Map([['acls', result]])
  })
  const result = results.get('acls')
  if (result === undefined) throw new Error('every key has an answer')
  return result
}

/** CreateAcls. Brokers with KRaft forward it; making a rule that is there already succeeds. */
export async function createAcls(
  requests: Requests,
  acls: readonly TopicAcl[],
  signal: AbortSignal | undefined,
): Promise<readonly Outcome[]> {
  const place = { cluster: requests.cluster, during: 'CreateAcls' }
  return await eachOf(requests, place, acls, signal, async (some, inner) => {
    const { results } = await requests.toAny(createAclsApi, some.map(writeAcl), inner)
    return results
  })
}

/** DeleteAcls of exactly these rules. */
export async function deleteAcls(
  requests: Requests,
  acls: readonly TopicAcl[],
  signal: AbortSignal | undefined,
): Promise<readonly Outcome[]> {
  const place = { cluster: requests.cluster, during: 'DeleteAcls' }
  return await eachOf(requests, place, acls, signal, async (some, inner) => {
    const { filterResults } = await requests.toAny(deleteAclsApi, some.map(writeAcl), inner)
    return filterResults.map(
      (result) => result.matchingAcls.find(({ errorCode }) => errorCode !== 0) ?? result,
    )
  })
}

interface Answered {
  readonly errorCode: number
  readonly errorMessage?: string | null | undefined
}

async function eachOf(
  requests: Requests,
  place: ErrorPlace,
  acls: readonly TopicAcl[],
  signal: AbortSignal | undefined,
  ask: (some: readonly TopicAcl[], signal: AbortSignal) => Promise<readonly Answered[]>,
): Promise<readonly Outcome[]> {
  const results = await retryingEach(requests.retry, place, signal, acls, async (pending, inner) => {
    const outcomes = new Map<TopicAcl, Outcome>()
    for (let start = 0; start < pending.length; start += aclsPerRequest) {
      const some = pending.slice(start, start + aclsPerRequest)
      for (const [index, { errorCode, errorMessage }] of (await ask(some, inner)).entries()) {
        const acl = some[index]
        if (acl === undefined) continue
        outcomes.set(
          acl,
          errorCode === 0
            ? { ok: true, value: undefined }
            : { ok: false, error: protocolError(errorCode, place, errorMessage) },
        )
      }
    }
    return outcomes
  })
  return acls.map((acl) => {
    const result = results.get(acl)
    if (result === undefined) throw new Error('every rule has an answer')
    return result
  })
}

function readResource({
  resourceName,
  resourcePatternType,
  acls,
}: describeAclsV3.DescribeAclsResponse['resources'][number]): readonly TopicAcl[] {
  return acls.map(({ principal, host, operation, permissionType }) => ({
    resource: resourceName,
    pattern: resourcePatternType === patterns.prefixed ? 'prefixed' : 'literal',
    principal,
    host,
    operation: operationNames.get(operation) ?? 'UNKNOWN',
    permission: permissionType === permissions.ALLOW ? 'ALLOW' : 'DENY',
  }))
}

function writeAcl(acl: TopicAcl): Acl {
  return {
    resourceType: topicResource,
    resourceName: acl.resource,
    resourcePatternType: patterns[acl.pattern],
    principal: acl.principal,
    host: acl.host,
    operation: operations[acl.operation],
    permissionType: permissions[acl.permission],
  }
}
