import assert from 'node:assert/strict'
import { afterEach } from 'node:test'
import { setImmediate as turn } from 'node:timers/promises'
import { type BrokerChannel, brokerId, type FetchRequest } from '../../../../replicator/kafka/cluster.ts'
import { KafkaError } from '../../../../replicator/kafka/errors.ts'
import { openHotChannel } from '../../../../replicator/kafka/hot/channel.ts'
import { FramePool } from '../../../../replicator/kafka/hot/frame-pool.ts'
import type { ConnectionSettings } from '../../../../replicator/kafka/settings.ts'
import { regionAlias } from '../../../../replicator/topology/identifiers.ts'
import { SimulatedClock } from '../../../simulation/simulated-clock.ts'
import { FakeBroker, type FakeBrokerOptions } from './fake-broker.ts'

export const topicId = '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0'
export const fetch: FetchRequest = {
  partitions: [
    { topic: 'orders', topicId, partition: 0, offset: 0n, leaderEpoch: undefined, bytesMax: 1 << 20 },
  ],
  waitMaxMs: 500,
  bytesMin: 1,
  bytesMax: 1 << 20,
  isolation: 'read_committed',
}
export const produceOf = (content: string) => ({
  batches: [{ topic: 'orders', partition: 0, batch: Buffer.from(content) }],
  timeoutMs: 1000,
})

const ends: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

/** A broker that can be made to misbehave, and channels to it, ended after each test. */
export interface Setting {
  readonly clock: SimulatedClock
  readonly broker: FakeBroker
  readonly pool: FramePool
  open(settings?: Partial<ConnectionSettings>, signal?: AbortSignal): Promise<BrokerChannel>
}

export async function setting(options: FakeBrokerOptions = {}): Promise<Setting> {
  const clock = new SimulatedClock()
  const broker = await FakeBroker.start(options)
  const pool = new FramePool()
  ends.push(() => broker.stop())
  return {
    clock,
    broker,
    pool,
    async open(more = {}, signal) {
      const settings = { bootstrap: [], clientId: 'test', requestTimeoutMs: 20_000, ...more }
      const request = {
        cluster: regionAlias('us-east'),
        broker: brokerId(7),
        host: '127.0.0.1',
        port: broker.port,
      }
      const channel = await openHotChannel({ ...request, settings, clock, pool }, signal)
      ends.push(async () => channel.destroy())
      return channel
    },
  }
}

export const failure = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => assert.fail('it succeeded'),
    (error: unknown) => error,
  )

export async function kafkaFailure(work: Promise<unknown>): Promise<KafkaError> {
  const error = await failure(work)
  assert(error instanceof KafkaError, String(error))
  return error
}

/** Lets sockets do what they have to do. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await turn()
}
