import { createServer, type Server } from 'node:http'
import type { FlowSnapshot } from '../flow/snapshot.ts'
import { httpPaths } from '../topology/internal-names.ts'

/** What the server is asked about. */
export interface HealthSource {
  readonly snapshots: () => readonly FlowSnapshot[]
  readonly isReady: () => boolean
}

export interface HealthServer {
  /** The port it listens on, chosen by the system when 0 was asked for. */
  readonly port: number
  close(): Promise<void>
}

/**
 * Serves health over HTTP. `/healthz`: 200 while the process works, also while clusters are away, because a restart
 * would not bring them back. `/readyz`: 200 once every flow forwards, else 503. Both answer with the flows as JSON.
 *
 * @throws Error when the port is taken
 */
export async function startHealthServer(
  address: { readonly host: string; readonly port: number },
  source: HealthSource,
): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const path = request.url?.split('?', 1)[0]
    const known = path === httpPaths.health || path === httpPaths.ready
    const wrongMethod = request.method !== 'GET' && request.method !== 'HEAD'
    const ready = source.isReady()
    const status = !known ? 404 : wrongMethod ? 405 : path === httpPaths.ready && !ready ? 503 : 200
    response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    response.end(JSON.stringify(known ? { ready, flows: source.snapshots() } : { error: 'not found' }))
  })
  await listen(server, address)
  const bound = server.address()
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : address.port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', (cause: NodeJS.ErrnoException) => {
    const why =
      cause.code === 'EADDRINUSE' ? 'the port is taken; choose another with http.port' : cause.message
    reject(new Error(`Health cannot be served on ${host}:${port}: ${why}`, { cause }))
  })
  server.listen(port, host, resolve)
  return promise
}
