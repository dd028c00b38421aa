import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, test } from 'node:test'
import type { FlowSnapshot } from '../../../replicator/flow/snapshot.ts'
import { type HealthServer, startHealthServer } from '../../../replicator/http/health-server.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'

const [source, target] = [regionAlias('us-east'), regionAlias('eu-west')]
const snapshot: FlowSnapshot = {
  flow: flowId(source, target),
  source,
  target,
  state: 'running',
  topics: 1,
  shards: [0],
  partitions: { total: 1, running: 1, paused: 0, stopped: 0 },
  stopped: [],
  trouble: undefined,
  records: 5,
  bytes: 500,
  batches: 1,
  reencoded: {},
  lagRecords: 0,
  lagMs: 0,
  bufferedBytes: 0,
  looks: 0,
  overrun: undefined,
}

describe('the health server', () => {
  let server: HealthServer | undefined
  let isReady = true
  const start = async () => {
    server = await startHealthServer(
      { host: '127.0.0.1', port: 0 },
      { snapshots: () => [snapshot], isReady: () => isReady },
    )
    return server
  }
  afterEach(async () => {
    await server?.close()
    isReady = true
  })
  const ask = (path: string, method = 'GET') => fetch(`http://127.0.0.1:${server?.port}${path}`, { method })

  test('/healthz is 200 whatever the flows do, /readyz only once they are ready; both tell the flows', async () => {
    await start()
    isReady = false
    for (const [path, status] of [
      ['/healthz', 200],
      ['/readyz', 503],
    ] as const) {
      const answer = await ask(path)
      assert.equal(answer.status, status)
      assert.match(answer.headers.get('content-type') ?? '', /^application\/json/)
      const told = { ready: false, flows: [JSON.parse(JSON.stringify(snapshot))] }
      assert.deepEqual(await answer.json(), told)
    }
    isReady = true
    assert.equal((await ask('/readyz?verbose=1')).status, 200)
    assert.equal((await ask('/readyz', 'HEAD')).status, 200)
  })

  test('other paths are 404 and say which there are; other methods are 405', async () => {
    await start()
    const lost = await ask('/metrics')
    assert.equal(lost.status, 404)
    assert.match(await lost.text(), /\/healthz and \/readyz/)
    const posted = await ask('/healthz', 'POST')
    assert.equal(posted.status, 405)
    assert.equal(posted.headers.get('allow'), 'GET, HEAD')
  })

  test('a port that is taken is named, with the setting to change', async () => {
    const { port } = await start()
    const again = startHealthServer({ host: '127.0.0.1', port }, { snapshots: () => [], isReady: () => true })
    await assert.rejects(again, (error: Error) => {
      assert.equal(
        error.message,
        `Health cannot be served on 127.0.0.1:${port}: the port is taken; choose another with http.port in causeway.yaml`,
      )
      return true
    })
  })

  test('closing does not wait for clients that have not finished asking', { timeout: 10_000 }, async (t) => {
    const { port, close } = await start()
    const client = connect(port, '127.0.0.1')
    t.after(() => client.destroy())
    await once(client, 'connect')
    client.write('GET /healthz HTTP/1.1\r\nhost: x\r\n')
    // Answered behind it, so the server has seen the other one.
    await (await ask('/healthz')).text()
    const cut = once(client, 'close')
    client.on('error', () => {})
    await close()
    await cut
    server = undefined
  })
})
