import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { after, before, describe, test } from 'node:test'
import { Kafka, logLevel } from 'kafkajs'
import { Secret } from '../../replicator/kafka/secret.ts'
import { findFreePorts } from '../../replicator/local/free-ports.ts'
import { installKafka } from '../../replicator/local/installation.ts'
import { type LocalCluster, startLocalCluster } from '../../replicator/local/local-cluster.ts'
import { encodeBatch } from '../../replicator/records/encode.ts'
import { AnswerCutter } from './answer-cutter.ts'
import { driveEpoch } from './epoch-driver.ts'
import { testBrokers } from './flow-pair.ts'
import type { DumpedBatch } from './log-dump.ts'
import { until } from './replicate-process.ts'
import { besides, type SceneOptions, TrapScene } from './traps-scene.ts'

/** Seven days by default: here tests see it happen. */
const transactionalIdExpiryMs = 15_000
const lastEpoch = 32_767
const fencedCode = 47
const brokerResource = 4

const scenes: TrapScene[] = []
let target: LocalCluster
let cutter: AnswerCutter

before(async () => {
  const { signal } = new AbortController()
  const [client = 0, controller = 0, far = 0, proxy = 0] = await findFreePorts(4)
  const at = (port: number) => `127.0.0.1:${port}`
  target = await startLocalCluster(
    {
      alias: 'trap-ids',
      installation: await installKafka({}, signal),
      ports: [client],
      brokerConfig: {
        'transactional.id.expiration.ms': String(transactionalIdExpiryMs),
        'transaction.remove.expired.transaction.cleanup.interval.ms': '1000',
        'producer.id.expiration.check.interval.ms': '300',
        // Whoever comes through the cutter stays behind it.
        listeners: `PLAINTEXT://${at(client)},FAR://${at(far)},CONTROLLER://${at(controller)}`,
        'advertised.listeners': `PLAINTEXT://${at(client)},FAR://${at(proxy)}`,
        'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,FAR:PLAINTEXT,CONTROLLER:PLAINTEXT',
        'controller.quorum.voters': `1@${at(controller)}`,
      },
    },
    signal,
  )
  cutter = await AnswerCutter.start(proxy, far)
})
after(async () => {
  await Promise.all(scenes.map((scene) => scene.close()))
  await cutter.close()
  await target.stop()
})

async function sceneOf(options: Partial<SceneOptions> = {}): Promise<TrapScene> {
  const source = testBrokers('CAUSEWAY_TEST_SOURCE')
  const scene = await TrapScene.open({ source, target: target.bootstrap, ...options })
  scenes.push(scene)
  return scene
}

const show = ({ base, producerId, epoch, sequence, records, control }: DumpedBatch) =>
  `[${base} ${control ? 'marker' : `${records} from ${sequence}`} by ${producerId}.${epoch}]`

const data = (batches: readonly DumpedBatch[]) => batches.filter(({ control }) => !control)

/** Before another producer id writes, the log holds a marker of the one before with a higher epoch. */
function assertOldIdsFenced(batches: readonly DumpedBatch[]): void {
  for (const [index, batch] of batches.entries()) {
    const previous = data(batches.slice(0, index)).at(-1)
    if (batch.control || previous === undefined || previous.producerId === batch.producerId) continue
    const fence = batches
      .slice(0, index)
      .find(
        ({ control, producerId, epoch }) =>
          control && producerId === previous.producerId && epoch > previous.epoch,
      )
    assert(fence, `${show(previous)} is fenced before ${show(batch)}: ${batches.map(show).join(' ')}`)
  }
}

/** Writes on where a dead writer left off, as its stopped process would. @returns the error's code, if refused */
async function writeAsZombie(scene: TrapScene, last: DumpedBatch): Promise<number | undefined> {
  const { topic } = scene
  const lookup = (await scene.target.describeTopics([topic])).get(topic)
  const leader = lookup?.kind === 'found' ? lookup.topic.partitions[0]?.leader : undefined
  assert(leader !== undefined)
  const channel = await scene.target.openChannel(leader)
  try {
    const record = { key: null, value: Buffer.from('zombie'), headers: [], timestamp: BigInt(Date.now()) }
    const producer = {
      producerId: last.producerId,
      producerEpoch: last.epoch,
      baseSequence: last.sequence + last.records,
    }
    const batch = encodeBatch([record], { producer })
    const { results } = await channel.produce({ timeoutMs: 5000, batches: [{ topic, partition: 0, batch }] })
    const [answer] = results
    return answer?.result.ok === false ? answer.result.error.code : undefined
  } finally {
    channel.destroy()
  }
}

async function gone(scene: TrapScene, transactionalId: string): Promise<void> {
  await until(`${transactionalId} expires`, async () =>
    (await scene.transaction(transactionalId)) === undefined ? true : undefined,
  )
}

describe('transactional ids', { timeout: 200_000, concurrency: true }, () => {
  test('an idle shard renews its id, so that a successor fences it by epoch', async () => {
    const scene = await sceneOf()
    await scene.produce(10)
    const first = await scene.start()
    await scene.arrived(10)
    // An id of the same age that nobody renews.
    const witness = `${scene.name}-witness`
    await scene.target.initProducerId(witness)
    await gone(scene, witness)
    assert(await scene.transaction(scene.transactionalId(0)), 'the shard has renewed its own')
    // It waits for its turn while the first one lives, and so takes over long before the id could expire.
    const second = await scene.start(besides('two'))
    await second.ready()
    first.child.kill('SIGSTOP')
    await scene.produce(10)
    await scene.arrived(20)
    const before = data(await scene.dump())
    const ids = new Set(before.map(({ producerId }) => producerId))
    assert.equal(ids.size, 1, `one producer id: ${before.map(show).join(' ')}`)
    assert(before.at(-1)!.epoch > before[0]!.epoch, before.map(show).join(' '))
    first.child.kill('SIGCONT')
    await scene.produce(10)
    await scene.exact()
    await second.stop()
  })

  test('an id that expired while nobody ran: the old producer id is fenced before anything is written', async () => {
    const scene = await sceneOf()
    await scene.produce(10)
    const first = await scene.start()
    await scene.arrived(10)
    await first.kill()
    const old = data(await scene.dump()).at(-1)!
    await gone(scene, scene.transactionalId(0))
    await scene.produce(10)
    const second = await scene.start()
    await scene.arrived(20)
    const batches = await scene.dump()
    assert.notEqual(data(batches).at(-1)!.producerId, old.producerId, 'the trap has sprung')
    assertOldIdsFenced(batches)
    assert.equal(await writeAsZombie(scene, old), fencedCode)
    await scene.exact()
    await second.stop()
  })

  test('epochs that run out: the coordinator gives another producer id, and the old one is fenced', async () => {
    const scene = await sceneOf()
    const transactionalId = scene.transactionalId(0)
    const bootstrap = target.bootstrap[0]!
    const driven = await driveEpoch({ bootstrap, transactionalId }, lastEpoch - 5)
    assert.equal(driven.producerEpoch, lastEpoch - 5)
    let written = 0
    for (let takeover = 1; ; takeover++) {
      const replicator = await scene.start()
      await scene.produce(10)
      written += 10
      await scene.arrived(written)
      await replicator.kill()
      const batches = await scene.dump()
      assertOldIdsFenced(batches)
      const ids = new Set(data(batches).map(({ producerId }) => producerId))
      if (ids.size === 1) {
        assert(takeover < 8, `epochs have not run out: ${batches.map(show).join(' ')}`)
        continue
      }
      const last = data(batches).at(-1)!
      const old = data(batches).findLast(({ producerId }) => producerId !== last.producerId)!
      assert(old.epoch > lastEpoch - 5, show(old))
      assert.equal(await writeAsZombie(scene, old), fencedCode)
      break
    }
    await scene.exact()
  })
})

describe('producer ids that brokers forget', { timeout: 200_000 }, () => {
  const expireAfter = (scene: TrapScene, ms: number) =>
    scene.admins.target.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: brokerResource,
          name: '1',
          configEntries: [{ name: 'producer.id.expiration.ms', value: String(ms) }],
        },
      ],
    })

  test('old records whose outcome is lost are not copied twice', async () => {
    const scene = await sceneOf({
      targetForReplicator: { bootstrap: [(target.bootstrap[0] ?? '').replace(/\d+$/, String(cutter.port))] },
    })
    await scene.admins.target.connect()
    await expireAfter(scene, 3000)
    try {
      const timestampMs = Date.now() - 2 * 86_400_000
      await scene.produce(10, { timestampMs })
      const replicator = await scene.start()
      await scene.arrived(10)
      const lost = cutter.loseAnswer(scene.topic)
      await scene.produce(30, { timestampMs })
      await lost
      assert.equal(await scene.arrivedRecords(), 40, 'the target took what it did not confirm')
      // Producer state ages by the records' time: it is gone at the broker's next check.
      await until('the broker forgets the producer', async () => {
        const [answer] = await scene.target.describeProducers([{ topic: scene.topic, partition: 0 }])
        return (answer?.result.ok === true && answer.result.value.length === 0) || undefined
      })
      await scene.produce(20, { timestampMs })
      cutter.open()
      await scene.arrived(60)
      await scene.produce(20, { timestampMs })
      await scene.exact()
      await replicator.stop()
    } finally {
      cutter.open()
      await expireAfter(scene, 86_400_000)
    }
  })
})

describe('a target where WriteTxnMarkers is not allowed', { timeout: 200_000 }, () => {
  test('a partition whose old producer id cannot be fenced stops with a way out', async () => {
    const file = process.env.CAUSEWAY_TEST_SECURE
    assert(file, 'CAUSEWAY_TEST_SECURE is not set: run these tests with npm test')
    const [user, admin] = await Promise.all([read(file), read(file.replace('causeway.json', 'admin.json'))])
    const administrator = new Kafka({
      brokers: [...admin.bootstrap],
      ssl: { ca: admin.ca },
      sasl: { mechanism: 'scram-sha-512', username: admin.username, password: admin.password },
      logLevel: logLevel.NOTHING,
    }).admin()
    await administrator.connect()
    // CLUSTER_ACTION and (since 4.0, KIP-1037) ALTER on the cluster allow it; the numbers are kafkajs's.
    const denials = [9, 7].map((operation) => ({
      resourceType: 4,
      resourceName: 'kafka-cluster',
      resourcePatternType: 3,
      principal: 'User:causeway',
      host: '*',
      operation,
      permissionType: 2,
    }))
    const sasl = { mechanism: 'scram-sha-512', username: user.username } as const
    const scene = await sceneOf({
      target: user.bootstrap,
      targetForReplicator: {
        security: { tls: { ca: user.caFile }, sasl: { ...sasl, password: user.password } },
      },
      targetSettings: {
        bootstrap: user.bootstrap,
        clientId: 'trap',
        tls: { ca: user.ca },
        sasl: { ...sasl, password: new Secret(user.password) },
      },
    })
    try {
      await scene.produce(10)
      const first = await scene.start()
      await scene.arrived(10)
      await first.kill()
      const connection = {
        tls: { ca: admin.ca },
        sasl: { mechanism: 'SCRAM-SHA-512', username: admin.username, password: admin.password } as const,
      }
      const bootstrap = user.bootstrap[0]!
      const transactionalId = scene.transactionalId(0)
      await driveEpoch({ bootstrap, transactionalId, connection }, lastEpoch - 1)
      await administrator.createAcls({ acl: denials })
      await scene.produce(10)
      const second = await scene.start()
      const stopped = await second.logged('partition-stopped')
      assert.match(`${stopped.reason} ${stopped.wayOut}`, /CLUSTER_ACTION|ClusterAction/i)
      assert.equal(await scene.arrivedRecords(), 10)
      await second.stop()
      await administrator.deleteAcls({ filters: denials })
      const third = await scene.start()
      await scene.arrived(20)
      assertOldIdsFenced(await scene.dump())
      await third.stop()
    } finally {
      await administrator.deleteAcls({ filters: denials }).catch(() => {})
      await administrator.disconnect()
    }
  })
})

interface Credentials {
  readonly bootstrap: readonly string[]
  readonly username: string
  readonly password: string
  readonly caFile: string
  readonly ca: string
}

async function read(file: string): Promise<Credentials> {
  const read = JSON.parse(await readFile(file, 'utf8')) as Omit<Credentials, 'ca'>
  return { ...read, bootstrap: [read.bootstrap].flat(), ca: await readFile(read.caFile, 'utf8') }
}
