/** The two real clusters that every system copies between, and the long link in front of the source. */
import { mkdir } from 'node:fs/promises'
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
 * Starts one broker per cluster. The source has a second listener that advertises the proxy's port, so that clients
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
    const [client = 0, controller = 0, far = 0, proxyPort = 0] = await findFreePorts(4)
    const proxy = await forkDelayProxy({
      listenPort: proxyPort,
      targetPort: far,
      oneWayDelayMs: options.oneWayDelayMs,
    })
    stops.push(() => proxy.close())
    await mkdir(options.folder, { recursive: true })
    const shared = {
      installation: options.installation,
      folder: options.folder,
      heapMb: 1024,
      tuning: 'throughput',
    } as const
    const source = await startLocalCluster(
      {
        ...shared,
        alias: 'bench-source',
        ports: [client],
        brokerConfig: { ...keepAll, ...listeners({ client, controller, far, proxy: proxy.port }) },
      },
      signal,
    )
    stops.push(() => source.stop())
    const target = await startLocalCluster(
      { ...shared, alias: 'bench-target', brokerConfig: keepAll },
      signal,
    )
    stops.push(() => target.stop())
    const [seenSource, seenTarget] = [
      await BenchCluster.connect(source.bootstrap[0]!),
      await BenchCluster.connect(target.bootstrap[0]!),
    ]
    stops.push(
      () => seenSource.close(),
      () => seenTarget.close(),
    )
    return { source: seenSource, target: seenTarget, sourceOverLongLink: `127.0.0.1:${proxy.port}`, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

function listeners(ports: {
  readonly client: number
  readonly controller: number
  readonly far: number
  readonly proxy: number
}): Record<string, string> {
  const at = (port: number) => `127.0.0.1:${port}`
  return {
    listeners: `PLAINTEXT://${at(ports.client)},FAR://${at(ports.far)},CONTROLLER://${at(ports.controller)}`,
    'advertised.listeners': `PLAINTEXT://${at(ports.client)},FAR://${at(ports.proxy)}`,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,FAR:PLAINTEXT,CONTROLLER:PLAINTEXT',
    'controller.quorum.voters': `1@${at(ports.controller)}`,
  }
}
