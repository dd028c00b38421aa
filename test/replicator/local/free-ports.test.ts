import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { findFreePorts, isPortFree } from '../../../replicator/local/free-ports.ts'

test('a port that is listened on is not free', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  assert.ok(address !== null && typeof address === 'object')
  assert.equal(await isPortFree(address.port), false)
  server.close()
  await once(server, 'close')
  assert.equal(await isPortFree(address.port), true)
})

test('free ports are all different and below the range for outgoing connections', async () => {
  const ports = await findFreePorts(40)
  assert.equal(new Set(ports).size, 40)
  for (const port of ports) assert.ok(port >= 20_000 && port < 32_000, String(port))
})
