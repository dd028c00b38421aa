import { Document, isMap, isSeq, visit } from 'yaml'
import type { TopologySpec } from '../topology/spec.ts'
import type { CausewayFile, RegionEntry } from './schema.ts'

/** How to reach one region, as causeway.yaml says it: secrets as references. */
export type ConnectionEntry = Omit<RegionEntry, 'role'>

/** The rest of a causeway.yaml. */
export type ProcessEntries = Pick<CausewayFile, 'replicas' | 'limits' | 'http' | 'discoveryInterval'>

/**
 * Writes a declared topology as the text of a causeway.yaml that `loadConfig` reads back to the same topology.
 * `schema`: the address of the JSON Schema, put where editors look for it.
 * @throws RangeError for a region without a connection.
 */
export function writeConfig(
  spec: TopologySpec,
  connections: Readonly<Record<string, ConnectionEntry>>,
  rest: ProcessEntries & { readonly schema?: string } = {},
): string {
  const regions = Object.entries(spec.regions).map(([alias, { role }]) => {
    const connection = connections[alias]
    if (connection === undefined) throw new RangeError(`no connection is given for region "${alias}"`)
    return [alias, { role, ...connection }]
  })
  const { name, pattern, topics, groups, objectives, failover, replication, flows } = spec
  const { replicas, limits, http, discoveryInterval } = rest
  const document = new Document(
    {
      ...{ name, pattern, regions: Object.fromEntries(regions), topics, groups, objectives, failover },
      ...{ replication, flows, discoveryInterval, replicas, limits, http },
    },
    // Lists that parts of a spec share are written out each time, not as anchors and aliases.
    { keepUndefined: false, aliasDuplicateObjects: false },
  )
  visit(document, {
    Map(key, node, path) {
      // Selections read best on one line each: - { name: orders }
      const short = isSeq(path.at(-1)) && node.items.every(({ value }) => !isMap(value) && !isSeq(value))
      if (key !== null && short) node.flow = true
    },
  })
  if (rest.schema !== undefined) document.commentBefore = ` yaml-language-server: $schema=${rest.schema}`
  return document.toString({ lineWidth: 110 })
}
