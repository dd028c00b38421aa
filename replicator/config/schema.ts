import { z } from 'zod'
import { duration, role, topologyKeys } from './schema-topology.ts'

const reference = 'May contain ${env:NAME} and ${file:PATH}.'

const secret = (what: string) => z.string().describe(`${what} ${reference} Written out, it causes a warning.`)

const tls = z
  .strictObject({
    ca: z
      .string()
      .optional()
      .describe(`PEM file, or PEM text, of the authorities to trust. Default: the system's. ${reference}`),
    certificate: z
      .string()
      .optional()
      .describe(`PEM file, or PEM text, of the client's certificate, for mutual TLS. ${reference}`),
    key: z.string().optional().describe(`PEM file, or PEM text, of the certificate's key. ${reference}`),
    passphrase: secret("The key's passphrase.").optional(),
    serverName: z
      .string()
      .optional()
      .describe(`Name to check the brokers' certificates against, instead of the host. ${reference}`),
  })
  .describe('TLS with settings of its own.')

const sasl = z
  .strictObject({
    mechanism: z
      .enum(['plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'])
      .describe('How the brokers of this listener identify their clients.'),
    username: z.string().optional().describe(`For plain and scram. ${reference}`),
    password: secret('For plain and scram.').optional(),
    token: z
      .strictObject({
        file: z
          .string()
          .optional()
          .describe(`File that holds the current token; read again for each log-in. ${reference}`),
        command: z
          .array(z.string())
          .min(1)
          .optional()
          .describe(`Program and arguments that print a token, run for each log-in. ${reference}`),
      })
      .optional()
      .describe('For oauthbearer: where tokens come from.'),
    awsIam: z
      .strictObject({ region: z.string().describe(`AWS region of the MSK cluster. ${reference}`) })
      .optional()
      .describe('For oauthbearer with Amazon MSK: tokens signed by the AWS credentials of the process.'),
    extensions: z
      .record(z.string(), z.string())
      .optional()
      .describe('For oauthbearer: SASL extensions (KIP-342).'),
  })
  .describe('How to log in. Without it, connections are anonymous or identified by the TLS certificate.')

/** How to protect and log in to one cluster's connections. */
export const security = z
  .strictObject({
    tls: z
      .union([z.boolean(), tls])
      .optional()
      .describe("true: encrypt, and trust the system's authorities. Or an object with settings."),
    sasl: sasl.optional(),
  })
  .describe('Default: plaintext without log-in.')

const region = z.strictObject({
  role: role.optional(),
  bootstrap: z
    .union([z.string(), z.array(z.string()).min(1)], { error: 'expected host:port, or a list of them' })
    .describe(`host:port of some brokers; the others are learned from them. ${reference}`)
    .meta({ examples: [['broker-1.example:9092', 'broker-2.example:9092']] }),
  security: security.optional(),
  clientId: z.string().optional().describe('Shown in broker logs and quotas. Default: causeway-<name>.'),
  connectTimeout: duration
    .optional()
    .describe('Limit for opening a connection, log-in included. Default: 10s.'),
  requestTimeout: duration.optional().describe('Limit for one answer. Default: 30s.'),
})

const byteSize = z.string().meta({ examples: ['512KiB', '96MiB', '1GiB'] })

/** causeway.yaml: the one source of its validation, of editors' completion, and of its documentation. */
export const causewayFile = z
  .strictObject({
    name: topologyKeys.name,
    pattern: topologyKeys.pattern,
    regions: z
      .record(z.string(), region)
      .describe('The clusters, by alias. Aliases: lowercase letters, digits and dashes.'),
    topics: topologyKeys.topics,
    groups: topologyKeys.groups,
    objectives: topologyKeys.objectives,
    failover: topologyKeys.failover,
    replication: topologyKeys.replication,
    flows: topologyKeys.flows,
    discoveryInterval: duration
      .optional()
      .describe('How often topics are listed and their configs compared. Default: 2s.'),
    replicas: z
      .strictObject({
        instanceId: z
          .string()
          .optional()
          .describe(
            `Names this replica among the replicas of its flows: it keeps its shards while it restarts within the session. Another one for each, such as the name of a StatefulSet's pod. Default: none; shards move at once when a replica ends. ${reference}`,
          )
          .meta({ examples: ['${env:POD_NAME}'] }),
        sessionTimeout: duration
          .optional()
          .describe("After so long without a sign of life a replica's shards go to others. Default: 10s."),
      })
      .optional()
      .describe('How replicas of one configuration share its flows.'),
    limits: z
      .strictObject({
        bufferBytes: byteSize
          .optional()
          .describe('Records held in memory between source and target, per process. Default: 96MiB.'),
        fetchBytes: byteSize
          .optional()
          .describe('Largest answer asked of a source broker at a time. Default: 8MiB.'),
        connectionsPerBroker: z
          .int()
          .min(1)
          .max(32)
          .optional()
          .describe('Connections to each source broker; more fill a longer link. Default: 4.'),
      })
      .optional()
      .describe("The replicator's use of memory and connections; the defaults suit most machines."),
    http: z
      .strictObject({
        port: z.int().min(0).max(65_535).optional().describe('0: any free port. Default: 8480.'),
        host: z.string().optional().describe('Address to listen on. Default: 0.0.0.0.'),
      })
      .optional()
      .describe('Where health is served.'),
  })
  .describe('Causeway: replication between Kafka clusters.')

/** causeway.yaml's content, as written: references to secrets still in place. */
export type CausewayFile = z.infer<typeof causewayFile>
/** One region of causeway.yaml, as written. */
export type RegionEntry = CausewayFile['regions'][string]
/** The `security` of one region, as written. */
export type SecurityEntry = z.infer<typeof security>

/** The JSON Schema (draft 7, which editors' YAML support expects) of causeway.yaml. */
export function jsonSchema(): Record<string, unknown> {
  const { $schema, ...schema } = z.toJSONSchema(causewayFile, { target: 'draft-7', io: 'input' })
  return { $schema, title: 'causeway.yaml', ...schema }
}
