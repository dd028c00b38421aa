/** The two real clusters that every system copies between, and the long link in front of the source. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeCertificates } from '../../replicator/local/certificates.ts'
import { findFreePorts } from '../../replicator/local/free-ports.ts'
import type { KafkaInstallation } from '../../replicator/local/kafka-files.ts'
import { startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { BenchCluster } from './bench-cluster.ts'
import { forkDelayProxy } from './delay-proxy-process.ts'

export interface BenchClusters {
  readonly source: BenchCluster
  readonly target: BenchCluster
  /** The source again, as seen from far away. */
  readonly sourceOverLongLink: string
  /** Both clusters again, over TLS. */
  readonly overTls: {
    readonly sourceBootstrap: string
    readonly targetBootstrap: string
    readonly caFile: string
  }
  /** Stops everything. Safe to call twice. */
  stop(): Promise<void>
}

/** Nothing may disappear during a run, and what is deleted between runs has to be gone at once. */
const keepAll: Readonly<Record<string, string>> = {
  'log.retention.ms': '-1',
  'log.retention.bytes': '-1',
  'log.segment.delete.delay.ms': '500',
}

/**
 * Starts one broker per cluster. The source has a third listener that advertises the proxy's port, so that clients
 * which come through the proxy stay behind it without a byte being rewritten.
 */
export async function startClusters(
  options: {
    readonly installation: KafkaInstallation
    readonly folder: string
    readonly oneWayDelayMs: number
  },
  signal: AbortSignal,
): Promise<BenchClusters> {
  const stops: (() => Promise<void>)[] = []
  const stop = async () => {
    for (let next = stops.pop(); next; next = stops.pop()) await next()
  }
  try {
    const [far = 0, proxyPort = 0, ...ports] = await findFreePorts(8)
    const proxy = await forkDelayProxy({
      listenPort: proxyPort,
      targetPort: far,
      oneWayDelayMs: options.oneWayDelayMs,
    })
    stops.push(() => proxy.close())
    await mkdir(options.folder, { recursive: true })
    const tls = await writeCertificates(options.folder)
    const start = async (alias: string, at: Ports) => {
      const cluster = await startLocalCluster(
        {
          alias,
          installation: options.installation,
          folder: options.folder,
          heapMb: 1024,
          tuning: 'throughput',
          ports: [at.client],
          brokerConfig: { ...keepAll, ...listeners(at, tls.serverFile) },
        },
        signal,
      )
      stops.push(() => cluster.stop())
      return cluster
    }
    const [
      sourceClient = 0,
      sourceController = 0,
      sourceTls = 0,
      targetClient = 0,
      targetController = 0,
      targetTls = 0,
    ] = ports
    const source = await start('bench-source', {
      client: sourceClient,
      controller: sourceController,
      tls: sourceTls,
      far: { port: far, advertised: proxy.port },
    })
    const target = await start('bench-target', {
      client: targetClient,
      controller: targetController,
      tls: targetTls,
    })
    const [seenSource, seenTarget] = [
      await BenchCluster.connect(source.bootstrap[0]!),
      await BenchCluster.connect(target.bootstrap[0]!),
    ]
    stops.push(
      () => seenSource.close(),
      () => seenTarget.close(),
    )
    return {
      source: seenSource,
      target: seenTarget,
      sourceOverLongLink: at(proxy.port),
      overTls: { sourceBootstrap: at(sourceTls), targetBootstrap: at(targetTls), caFile: tls.caFile },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

interface Ports {
  readonly client: number
  readonly controller: number
  readonly tls: number
  /** Where the proxy connects to, and where it listens. */
  readonly far?: { readonly port: number; readonly advertised: number }
}

const at = (port: number) => `127.0.0.1:${port}`

function listeners({ client, controller, tls, far }: Ports, keystoreFile: string): Record<string, string> {
  const names = [
    { name: 'PLAINTEXT', protocol: 'PLAINTEXT', port: client, advertised: client },
    { name: 'TLS', protocol: 'SSL', port: tls, advertised: tls },
    ...(far ? [{ name: 'FAR', protocol: 'PLAINTEXT', ...far }] : []),
  ]
  const list = (of: (listener: (typeof names)[number]) => string) => names.map(of).join(',')
  return {
    listeners: `${list(({ name, port }) => `${name}://${at(port)}`)},CONTROLLER://${at(controller)}`,
    'advertised.listeners': list(({ name, advertised }) => `${name}://${at(advertised)}`),
    'listener.security.protocol.map': `${list(({ name, protocol }) => `${name}:${protocol}`)},CONTROLLER:PLAINTEXT`,
    'controller.quorum.voters': `1@${at(controller)}`,
    'listener.name.tls.ssl.keystore.type': 'PEM',
    'listener.name.tls.ssl.keystore.location': keystoreFile,
  }
}

async function writeCertificates(folder: string): Promise<{ caFile: string; serverFile: string }> {
  const made = await makeCertificates({ clientName: 'bench', nowMs: Date.now(), expired: false })
  const [caFile, serverFile] = [join(folder, 'ca.pem'), join(folder, 'server.pem')]
  await writeFile(caFile, made.authority)
  await writeFile(serverFile, made.server.certificate + made.server.key, { mode: 0o600 })
  return { caFile, serverFile }
}
