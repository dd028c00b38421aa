import type { ConnectionSettings } from '../../kafka/settings.ts'
import { clientId } from '../../topology/internal-names.ts'
import type { ConnectionContext } from './connection-context.ts'
import type { ConnectorSettings } from './declaration.ts'
import { readJavaSasl } from './java-sasl.ts'
import { readJavaTls } from './java-tls.ts'
import { listOf } from './name-lists.ts'
import type { Findings, Place, Setting } from './setting.ts'

const protocols = ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL']

/** Turns a cluster's connection keys into a way to reach it; what is wrong goes to the findings. */
export function readClusterConnection(
  cluster: { readonly alias: string; readonly place: Place },
  settings: ConnectorSettings,
  context: ConnectionContext,
): ConnectionSettings {
  const { findings } = context
  const bootstrap = readBootstrap(cluster, settings.get('bootstrap.servers'), findings)
  const protocol = protocolOf(settings.get('security.protocol'), findings)
  const tls = protocol.endsWith('SSL') ? readJavaTls(settings, context) : undefined
  const usesSasl = protocol.startsWith('SASL')
  const sasl = usesSasl ? readJavaSasl(cluster, settings, bootstrap, context) : undefined
  const stated = settings.get('security.protocol')
  if (usesSasl && tls === undefined && stated !== undefined) {
    const message = 'SASL without TLS: credentials and records travel in clear'
    findings.warnings.push({ place: stated.place, message, hint: 'use SASL_SSL' })
  }
  return {
    bootstrap,
    clientId: clientId({ name: context.topologyName }),
    ...(tls === undefined ? {} : { tls }),
    ...(sasl === undefined ? {} : { sasl }),
  }
}

function protocolOf(setting: Setting | undefined, { problems }: Findings): string {
  // Kafka takes it in any case.
  const text = setting?.value.trim().toUpperCase() ?? 'PLAINTEXT'
  if (protocols.includes(text)) return text
  if (setting !== undefined && !setting.isBroken) {
    problems.push({ place: setting.place, message: `expected one of ${protocols.join(', ')}` })
  }
  return 'PLAINTEXT'
}

function readBootstrap(
  { alias, place }: { readonly alias: string; readonly place: Place },
  setting: Setting | undefined,
  { problems }: Findings,
): readonly string[] {
  if (setting?.isBroken === true) return []
  const servers = listOf(setting?.value ?? '')
  if (servers.length === 0) {
    const message = `no bootstrap.servers are given for "${alias}"`
    problems.push({ place: setting?.place ?? place, message, hint: 'such as broker-1.example:9092' })
  }
  // Kafka's ClientUtils allows, and ignores, a protocol before the host.
  const plain = servers.map((server) => server.replace(/^[a-zA-Z0-9._%-]*:\/\//, ''))
  if (setting !== undefined && plain.some((server) => !isServer(server))) {
    const hint = 'such as broker-1.example:9092'
    problems.push({ place: setting.place, message: 'expected host:port, or several with commas', hint })
  }
  return plain
}

function isServer(text: string): boolean {
  const port = /^(?:[a-zA-Z0-9._-]+|\[[0-9a-fA-F:.]+\]):(\d{1,5})$/.exec(text)?.[1]
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535
}
