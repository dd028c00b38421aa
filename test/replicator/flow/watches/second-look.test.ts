import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { confirm } from '../../../../replicator/flow/watches/second-look.ts'
import { regionAlias } from '../../../../replicator/topology/identifiers.ts'
import { MemoryCluster } from '../../../simulation/memory-cluster.ts'
import { SimulatedBrokers } from '../../../simulation/simulated-brokers.ts'
import { SimulatedClock } from '../../../simulation/simulated-clock.ts'

interface Suspect {
  readonly partition: number
  readonly topicId: string | undefined
  isStopped: boolean
}

type Lost = { readonly kind: 'lost' }

describe('the second look', () => {
  test('tells what is found again, unless the partition has stopped or its topic is another one', async () => {
    const clock = new SimulatedClock()
    const brokers = new SimulatedBrokers({ clock, brokers: 1 })
    const made = brokers.topics.create({
      name: 'orders',
      partitions: 1,
      replicationFactor: 1,
      configs: new Map(),
    })
    assert.ok(made.ok)
    const topicId = brokers.topics.byName('orders')?.id
    const suspects: Suspect[] = [
      { partition: 0, topicId, isStopped: false },
      { partition: 1, topicId, isStopped: false },
      { partition: 2, topicId, isStopped: false },
      { partition: 3, topicId: 'of an earlier one', isStopped: false },
      { partition: 4, topicId: undefined, isStopped: false },
    ]
    const told: (string | number)[] = []
    let lookedAtMs: number | undefined
    const look = async (asked: readonly Suspect[]) => {
      assert.deepEqual(asked, suspects)
      lookedAtMs = clock.monotonicMs()
      // It may stop while it is looked at.
      for (const suspect of suspects) suspect.isStopped = suspect.partition === 2
      return asked.map(({ partition }) => ({
        finding: partition === 1 ? undefined : ({ kind: 'lost' } as Lost),
      }))
    }
    const confirming = confirm(
      {
        cluster: new MemoryCluster(brokers, { alias: regionAlias('us-east') }),
        clock,
        placeOf: (suspect: Suspect) => ({ topic: 'orders', ...suspect }),
        look,
        onFinding: ({ partition }, { kind }) => told.push(partition, kind),
      },
      suspects,
      new AbortController().signal,
    )
    await clock.advance(299)
    assert.equal(lookedAtMs, undefined)
    await clock.advance(60_000)
    await confirming
    assert.deepEqual(told, [0, 'lost', 3, 're-created', 4, 'lost'])
  })
})
