import type { ConnectionSettings } from '../kafka/settings.ts'
import { durationRule, parseDurationMs } from '../topology/duration.ts'
import { clientId } from '../topology/internal-names.ts'
import type { Path, Problem } from '../topology/problem.ts'
import { type EntryReader, entryReader } from './entry-reader.ts'
import type { ReferenceSources } from './references.ts'
import { readSasl } from './sasl-entry.ts'
import type { CausewayFile, RegionEntry } from './schema.ts'
import { placeholderBootstrap } from './shape.ts'
import { readTls } from './tls-entry.ts'

/** What a file's regions say about connections. */
export interface Connections {
  /** By alias; regions with problems may be missing. */
  readonly settings: ReadonlyMap<string, ConnectionSettings>
  readonly problems: readonly Problem[]
  readonly warnings: readonly Problem[]
}

/** Reads every region's way to its cluster. `directory`: where relative paths begin. */
export function readConnections(
  file: CausewayFile,
  sources: ReferenceSources,
  directory: string,
): Connections {
  const reader = entryReader(sources)
  const settings = new Map<string, ConnectionSettings>()
  for (const [alias, region] of Object.entries(file.regions)) {
    const path = ['regions', alias]
    const connection = readConnection(file.name, region, path, reader, directory)
    if (connection !== undefined) settings.set(alias, connection)
  }
  return { settings, problems: reader.problems, warnings: reader.warnings }
}

function readConnection(
  name: string,
  region: RegionEntry,
  path: Path,
  reader: EntryReader,
  directory: string,
): ConnectionSettings {
  const securityPath = [...path, 'security']
  const bootstrap = readBootstrap(region.bootstrap, [...path, 'bootstrap'], reader)
  const tls = readTls(region.security?.tls, [...securityPath, 'tls'], reader)
  const entry = region.security?.sasl
  const sasl = entry === undefined ? undefined : readSasl(entry, [...securityPath, 'sasl'], reader, directory)
  if (entry !== undefined && tls === undefined) {
    const message = 'SASL without TLS: credentials and records travel in clear'
    reader.warnings.push({ path: [...securityPath, 'sasl'], message, hint: 'add tls: true' })
  }
  const connectTimeoutMs = readDuration(region.connectTimeout, [...path, 'connectTimeout'], reader)
  const requestTimeoutMs = readDuration(region.requestTimeout, [...path, 'requestTimeout'], reader)
  return {
    bootstrap,
    clientId: reader.text(region.clientId, [...path, 'clientId']) ?? clientId({ name }),
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
    ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
  }
}

// A reference may hold a whole list, as Kafka's own bootstrap.servers does.
function readBootstrap(
  entry: string | readonly string[],
  path: Path,
  reader: EntryReader,
): readonly string[] {
  if (entry === placeholderBootstrap) return []
  const listed = typeof entry === 'string' ? [{ raw: entry, path }] : withPaths(entry, path)
  return listed.flatMap(({ raw, path: place }) => {
    const servers = reader
      .text(raw, place)
      ?.split(',')
      .map((server) => server.trim())
    if (servers?.some((server) => !isServer(server))) {
      const hint = servers.some((server) => server.includes('://'))
        ? 'leave out the protocol; "security" says it'
        : 'such as broker-1.example:9092'
      reader.problems.push({ path: place, message: 'expected host:port', hint })
    }
    return servers ?? []
  })
}

function withPaths(entries: readonly string[], path: Path): { raw: string; path: Path }[] {
  return entries.map((raw, index) => ({ raw, path: [...path, index] }))
}

function isServer(text: string): boolean {
  const port = /^(?:[a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/.exec(text)?.[1]
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535
}

function readDuration(text: string | undefined, path: Path, reader: EntryReader): number | undefined {
  if (text === undefined) return undefined
  const ms = parseDurationMs(text)
  if (ms !== undefined && ms > 0) return ms
  reader.problems.push({ path, message: 'not a duration above zero', hint: durationRule })
  return undefined
}
