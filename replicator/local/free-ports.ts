import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { LocalError } from './local-error.ts'

/**
 * Below the range that operating systems take outgoing ports from, so that a port stays free while its broker is
 * down and is started again.
 */
const range = { from: 20_000, to: 32_000 }

/** True when nobody listens on the port and this process may. */
export function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/**
 * Different ports of 127.0.0.1, free at this moment. Another process may still take one first: whoever uses them
 * must be ready to ask again.
 * @throws LocalError `port-taken` when not enough free ports are found.
 */
export async function findFreePorts(
  count: number,
  except: readonly number[] = [],
): Promise<readonly number[]> {
  const found = new Set<number>()
  for (let tries = 0; found.size < count && tries < 50 * count; tries += 1) {
    const port = randomInt(range.from, range.to)
    if (!found.has(port) && !except.includes(port) && (await isPortFree(port))) found.add(port)
  }
  if (found.size < count) {
    throw new LocalError(
      'port-taken',
      `No ${count} free ports of 127.0.0.1 were found between ${range.from} and ${range.to}.`,
      'Stop what listens there, or name ports of your own.',
    )
  }
  return [...found]
}
