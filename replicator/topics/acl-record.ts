import { z } from 'zod'
import type { TopicAcl } from '../kafka/acl-binding.ts'
import type { FlowId } from '../topology/model.ts'
import type { OwnAcl } from './acl-plan.ts'

const keySchema = z.object({
  v: z.literal(1),
  flow: z.string(),
  pattern: z.enum(['literal', 'prefixed']),
  resource: z.string(),
  principal: z.string(),
  host: z.string(),
  operation: z.enum([
    'ALL',
    'READ',
    'WRITE',
    'CREATE',
    'DELETE',
    'ALTER',
    'DESCRIBE',
    'CLUSTER_ACTION',
    'DESCRIBE_CONFIGS',
    'ALTER_CONFIGS',
    'IDEMPOTENT_WRITE',
  ]),
  permission: z.enum(['ALLOW', 'DENY']),
})
const valueSchema = z.object({ v: z.literal(1), topic: z.string().optional() })

/**
 * One record for each rule that a flow has made, so that two replicas that remember different rules at a time do not
 * overwrite each other. JSON with a version, members in fixed order: the cleaner compares keys byte by byte.
 */
export function encodeAclKey(flow: FlowId, acl: TopicAcl): Buffer {
  const { pattern, resource, principal, host, operation, permission } = acl
  return Buffer.from(
    JSON.stringify({ v: 1, flow, pattern, resource, principal, host, operation, permission }),
  )
}

export function encodeAclValue({ topic }: OwnAcl): Buffer {
  return Buffer.from(JSON.stringify({ v: 1, topic }))
}

/** @throws Error when the bytes are not a key of a known version */
export function decodeAclKey(bytes: Buffer): { readonly flow: FlowId; readonly acl: TopicAcl } {
  const { flow, pattern, resource, principal, host, operation, permission } = keySchema.parse(
    JSON.parse(bytes.toString()),
  )
  return { flow: flow as FlowId, acl: { pattern, resource, principal, host, operation, permission } }
}

/** @returns the source topic. @throws Error when the bytes are not a value of a known version */
export function decodeAclValue(bytes: Buffer): string | undefined {
  return valueSchema.parse(JSON.parse(bytes.toString())).topic
}
