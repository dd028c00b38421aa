import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { findBrokerSource } from '../../replicator/local/docker-installation.ts'
import { installKafka, type KafkaInstallation } from '../../replicator/local/installation.ts'
import { startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { LocalError } from '../../replicator/local/local-error.ts'

const signal = new AbortController().signal

function localError(problem: string, text: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof LocalError, String(error))
    assert.equal(error.problem, problem)
    assert.match(error.message, text)
    return true
  }
}

describe('what a machine lacks is said clearly', () => {
  let installation: KafkaInstallation
  let folder: string
  before(async () => {
    installation = await installKafka({}, signal)
    folder = await mkdtemp(join(tmpdir(), 'causeway-errors-'))
  })
  after(() => rm(folder, { recursive: true, force: true }))

  test('no Java', async () => {
    const env = { PATH: folder }
    await assert.rejects(installKafka({ env }, signal), localError('java-missing', /version 17 or newer/))
  })

  test('no Maven, and nothing downloaded yet', async () => {
    const env = { PATH: folder, JAVA_HOME: await javaHome(installation.javaPath) }
    const options = { env, cacheFolder: folder }
    await assert.rejects(installKafka(options, signal), localError('maven-missing', /apt-get install maven/))
    assert.deepEqual(readdirSync(folder), [])
  })

  test('neither Java nor Docker', async () => {
    const env = { PATH: folder }
    const both = /version 17 or newer[\s\S]*Docker would do[\s\S]*CAUSEWAY_LOCAL_BOOTSTRAP_/
    await assert.rejects(
      findBrokerSource({ env, cacheFolder: folder }, signal),
      localError('java-missing', both),
    )
  })

  test('a port that is taken', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const address = server.address()
    assert.ok(address !== null && typeof address === 'object')
    const { port } = address
    try {
      const start = startLocalCluster({ alias: 'taken', installation, ports: [port], folder }, signal)
      await assert.rejects(start, localError('port-taken', new RegExp(`Port ${port} .* is taken\\.\n.*lsof`)))
    } finally {
      server.close()
    }
    assert.deepEqual(readdirSync(folder), [])
  })

  test('a broker that ends at once: its own words, and nothing left behind', async () => {
    const start = startLocalCluster(
      {
        alias: 'misconfigured',
        installation,
        folder: join(folder, 'run'),
        logFolder: join(folder, 'logs'),
        brokerConfig: { 'num.partitions': '-7' },
      },
      signal,
    )
    await assert.rejects(start, localError('broker-failed', /num\.partitions/))
    assert.deepEqual(readdirSync(join(folder, 'run')), [])
  })
})

/** The folder that JAVA_HOME would name for this Java, asked from Java itself. */
async function javaHome(javaPath: string): Promise<string> {
  const { runCommand } = await import('../../replicator/local/run-command.ts')
  const { stderr } = await runCommand(javaPath, ['-XshowSettings:properties', '-version'], {}, signal)
  const home = /java\.home = (.+)/.exec(stderr)?.[1]
  assert.ok(home)
  return home
}
