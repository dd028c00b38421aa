import { z } from 'zod'
import { expressionLengthMax } from '../topology/selection.ts'

/** The parts of causeway.yaml that declare the topology. Meaning and cross-field rules: `resolveTopology`. */

export const duration = z.string().meta({ examples: ['500ms', '5s', '2m', '1h'] })

const expression = z.string().max(expressionLengthMax)

const nameSelection = z.strictObject({
  name: z.string().optional().describe('Exact name.'),
  prefix: z.string().optional().describe('Everything that begins so.'),
  match: expression.optional().describe('Regular expression that must match the whole name.'),
  exclude: expression
    .optional()
    .describe('Regular expression of whole names to leave out of "match" or "prefix".'),
})

const topicSelection = nameSelection.extend({
  partitionRange: z
    .strictObject({
      from: z.int().min(0).describe('First partition.'),
      to: z.int().min(0).describe('Last partition, included.'),
    })
    .optional()
    .describe('Only these partitions.'),
})

const topics = z.array(topicSelection).describe('Topics to replicate. Internal topics are never selected.')
const groups = z.array(nameSelection).describe('Consumer groups whose positions follow. Default: none.')

const configSync = z
  .strictObject({
    mode: z
      .enum(['follow', 'off'])
      .optional()
      .describe(
        "Whether topic configs follow the source's after a topic was created. Default: follow; off for flows that mix regions in topics of one name.",
      ),
    exclude: z
      .array(expression)
      .optional()
      .describe(
        'Regular expressions of topic configs that are never carried over; replaces the default list.',
      ),
    defaultsFrom: z
      .enum(['target', 'source'])
      .optional()
      .describe("Whose default applies where the source topic has none of its own. Default: target's."),
  })
  .describe('How topic configs follow the source.')

const aclSync = z
  .strictObject({
    mode: z
      .enum(['off', 'report', 'sync'])
      .optional()
      .describe(
        "Whether ACLs about topics follow the source's; report only tells what sync would do. Default: off.",
      ),
    principals: z
      .array(z.string())
      .optional()
      .describe(
        'Principals that the replicator logs in as, where a certificate or a token tells them. Their ACLs are never touched.',
      )
      .meta({ examples: [['User:replicator']] }),
  })
  .describe('How ACLs about topics follow the source.')

const replicationKeys = {
  naming: z
    .string()
    .optional()
    .describe(
      'How copies are called: identity (same name), prefixed (<source>.<topic>, as MirrorMaker 2), or a template such as "{source}-{topic}". Default: identity for active-passive and active-active, prefixed for custom.',
    )
    .meta({ examples: ['identity', 'prefixed', '{source}-{topic}'] }),
  placement: z
    .enum(['source', 'target'])
    .optional()
    .describe('The region where the flow runs. Default: source for identity naming, otherwise target.'),
  replicationFactor: z
    .union([z.int().min(1).max(32_767), z.literal('broker-default')], {
      error: 'expected a number from 1 on, or broker-default',
    })
    .optional()
    .describe("Of topics that the replicator creates. Default: broker-default, the target brokers' own."),
  configSync: configSync.optional(),
  aclSync: aclSync.optional(),
  startAt: z
    .enum(['earliest', 'latest'])
    .optional()
    .describe('Where a partition starts that was never replicated before. Default: earliest.'),
  paused: z
    .array(topicSelection)
    .optional()
    .describe('Topics whose forwarding is paused; their positions are kept.'),
  shards: z
    .int()
    .min(1)
    .max(1_024)
    .optional()
    .describe('Units of ownership of a flow: at most so many replicas share its work. Default: 8.'),
  mirrorMakerTopics: z
    .boolean()
    .optional()
    .describe(
      "Whether MirrorMaker 2's topics are written beside the copies, for Java's MirrorClient and RemoteClusterUtils: heartbeats and offset-syncs on the source, heartbeats and checkpoints of the groups on the target. Topics called heartbeats are copied then. Default: false.",
    ),
}

const alias = z.union([z.string(), z.array(z.string()).min(1)], {
  error: "expected a region's alias, or a list of them",
})

const flow = z.strictObject({
  source: alias.describe("The source region's alias; a list declares a flow from each."),
  target: alias.describe("The target region's alias; a list declares a flow to each."),
  topics: topics.optional(),
  groups: groups.optional(),
  ...replicationKeys,
})

/** The role of one region. */
export const role = z
  .enum(['active', 'passive', 'peer', 'witness'])
  .describe('active and passive for active-passive, peer otherwise; a witness votes and carries no flows.')

/** Every top-level key that declares the topology, but `regions`. */
export const topologyKeys = {
  name: z
    .string()
    .describe('Names the topology; part of internal topic names. Lowercase letters, digits, dashes.'),
  pattern: z
    .enum(['active-passive', 'active-active', 'custom'])
    .optional()
    .describe('Derives the flows; custom (the default) runs those listed under "flows".'),
  topics: topics.optional(),
  groups: groups.optional(),
  objectives: z
    .strictObject({
      rpo: duration.optional().describe('Recovery point objective: how much data may be at risk.'),
      rto: duration.optional().describe('Recovery time objective: until clients are served again.'),
    })
    .optional()
    .describe('Goals, to compare what was measured with.'),
  failover: z
    .strictObject({
      mode: z
        .enum(['automatic', 'manual', 'off'])
        .optional()
        .describe('Who decides that a region is lost. automatic needs a witness. Default: manual.'),
    })
    .optional()
    .describe('What happens when a region is lost.'),
  replication: z.strictObject(replicationKeys).optional().describe('Settings of all flows.'),
  flows: z
    .array(flow)
    .optional()
    .describe('custom: the flows. Other patterns: settings of single flows that differ from the others.'),
}
