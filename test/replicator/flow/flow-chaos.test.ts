import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { TopicPartition } from '../../../replicator/kafka/cluster.ts'
import type { Codec } from '../../../replicator/records/batch-header.ts'
import type { DecideFault, Fault } from '../../simulation/faults.ts'
import type { SeededRandom } from '../../simulation/seeded-random.ts'
import type { SimulatedBrokers } from '../../simulation/simulated-brokers.ts'
import { TransactionalWriter } from '../../simulation/transactional-writer.ts'
import { FlowScene, type SceneFlow } from './flow-scene.ts'

/** More runs by hand: CAUSEWAY_TEST_RUNS=2000 node --test test/replicator/flow/flow-chaos.test.ts */
const numRuns = Number(process.env.CAUSEWAY_TEST_RUNS ?? 40)
const steps = 60
const codecs: readonly Codec[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

/** What may go wrong with a request while the storm lasts. */
const storm: readonly Fault[] = [
  { lose: 'request' },
  { lose: 'answer' },
  { duplicate: true },
  { breakChannel: 'before' },
  { breakChannel: 'after' },
  { answerDelayMs: 400 },
  { requestDelayMs: 300, arrivesAnyway: true },
]

describe('a flow in a storm', () => {
  test('loses nothing and keeps the order, whatever the clusters and the network do', async () => {
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 1_000_000 }), stormyRun), {
      numRuns,
      endOnFailure: true,
    })
  })
})

async function stormyRun(seed: number): Promise<void> {
  const scene = new FlowScene({ seed, brokers: 3 })
  const { random } = scene
  scene.create('orders', 3)
  scene.create('clicks', 1, { 'max.message.bytes': '200000' })
  const writers = Array.from({ length: 2 }, (_, i) => new Writer(scene, `writer-${i}`))
  let isCalm = false
  const faults: DecideFault = () => (!isCalm && random.chance(0.03) ? random.pick(storm) : undefined)
  const start = () => scene.start({ sourceFaults: faults, targetFaults: faults })
  let flow = start()
  for (let step = 0; step < steps; step++) flow = await act(scene, flow, writers, start)
  isCalm = true
  for (const brokers of [scene.source, scene.target]) for (const id of brokerIds) restore(brokers, id)
  for (const writer of writers) writer.finish()
  await flow.catchUp(undefined, 600_000)
  await flow.drain()
}

async function act(
  scene: FlowScene,
  flow: SceneFlow,
  writers: readonly Writer[],
  start: () => SceneFlow,
): Promise<SceneFlow> {
  const { random, clock } = scene
  const dice = random.between(0, 99)
  if (dice < 35) write(scene, random.pick(scene.partitions))
  else if (dice < 55) random.pick(writers).act(random.pick(scene.partitions))
  else if (dice < 85) await clock.advance(random.between(1, 900))
  else if (dice < 90) moveALeader(random.chance(0.5) ? scene.source : scene.target, random)
  else if (dice < 95) toggleABroker(random.chance(0.5) ? scene.source : scene.target, random)
  else {
    if (random.chance(0.5)) await flow.destroy()
    else await flow.drain(random.between(100, 5000))
    return start()
  }
  return flow
}

function write(scene: FlowScene, at: TopicPartition): void {
  if (scene.source.partition(at).leader === undefined) return
  const { random } = scene
  scene.write(at, random.between(1, 8), { codec: random.pick(codecs) }, random.between(0, 2000))
}

function moveALeader(brokers: SimulatedBrokers, random: SeededRandom): void {
  if (brokers.topics.all.length === 0) return
  const topic = random.pick(brokers.topics.all)
  const partition = random.between(0, topic.partitions.length - 1)
  const up = topic.partitions[partition]!.replicas.filter((replica) => brokers.isUp(replica))
  if (up.length > 0) brokers.moveLeader({ topic: topic.name, partition }, random.pick(up))
}

const brokerIds = [0, 1, 2]

function toggleABroker(brokers: SimulatedBrokers, random: SeededRandom): void {
  const down = brokerIds.filter((id) => !brokers.brokers.includes((id + 1) as never))
  if (down.length > 0) restore(brokers, random.pick(down))
  else brokers.stopBroker(random.pick(brokers.brokers))
}

function restore(brokers: SimulatedBrokers, index: number): void {
  const id = (index + 1) as (typeof brokers.brokers)[number]
  if (!brokers.isUp(id)) brokers.startBroker(id)
}

/** A transactional producer that commits and aborts at random. */
class Writer {
  readonly #scene: FlowScene
  readonly #writer: TransactionalWriter
  #isOpen = false

  constructor(scene: FlowScene, name: string) {
    this.#scene = scene
    this.#writer = new TransactionalWriter(scene.source, name)
  }

  act(at: TopicPartition): void {
    const { random, source } = this.#scene
    if (this.#isOpen && random.chance(0.4)) this.#end(random.chance(0.6) ? 'commit' : 'abort')
    else if (source.partition(at).leader !== undefined) {
      this.#writer.append(at, this.#scene.records(random.between(1, 4)))
      this.#isOpen = true
    }
  }

  finish(): void {
    if (this.#isOpen) this.#end('commit')
  }

  #end(how: 'commit' | 'abort'): void {
    this.#writer.end(how)
    this.#isOpen = false
  }
}
