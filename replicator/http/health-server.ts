import { createServer, type IncomingMessage, type Server } from 'node:http'
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
 * @throws Error when it cannot listen there: the port is taken, or needs rights
 */
export async function startHealthServer(
  address: { readonly host: string; readonly port: number },
  source: HealthSource,
): Promise<HealthServer> {
  const server = createServer((request, response) => {
    const { status, body } = answer(request, source)
    response.writeHead(status, {
      'content-type': 'application/json',
      'cache-control': 'no-store',
      ...(status === 405 ? { allow: 'GET, HEAD' } : {}),
    })
    response.end(`${JSON.stringify(body)}\n`)
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

function answer({ url, method }: IncomingMessage, source: HealthSource): { status: number; body: object } {
  const path = url?.split('?', 1)[0]
  if (path !== httpPaths.health && path !== httpPaths.ready) {
    return { status: 404, body: { error: `not found; there are ${Object.values(httpPaths).join(' and ')}` } }
  }
  if (method !== 'GET' && method !== 'HEAD') return { status: 405, body: { error: 'use GET' } }
  const ready = source.isReady()
  const status = path === httpPaths.ready && !ready ? 503 : 200
  return { status, body: { ready, flows: source.snapshots() } }
}

function listen(
  server: Server,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  server.once('error', (cause: NodeJS.ErrnoException) => {
    const why =
      cause.code === 'EADDRINUSE'
        ? 'the port is taken; choose another with http.port in causeway.yaml'
        : cause.message
    reject(new Error(`Health cannot be served on ${host}:${port}: ${why}`, { cause }))
  })
  server.listen(port, host, resolve)
  return promise
}
