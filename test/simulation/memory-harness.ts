import { regionAlias } from '../../replicator/topology/identifiers.ts'
import type { ContractHarness } from '../contract/contract-harness.ts'
import { type FragileHarness, shortExpiry } from '../contract/takeover-contract.ts'
import { MemoryCluster } from './memory-cluster.ts'
import { recordsOf } from './record-batches.ts'
import { SimulatedBrokers } from './simulated-brokers.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { TransactionalWriter } from './transactional-writer.ts'

/** The contract suite's view of a simulated cluster with one broker. */
export function memoryHarness(): ContractHarness {
  return harnessOf(new SimulatedBrokers({ clock: new SimulatedClock() }))
}

/** One with three brokers that forgets soon. */
export function fragileMemoryHarness(): FragileHarness {
  const brokers = new SimulatedBrokers({
    clock: new SimulatedClock(),
    brokers: 3,
    producerExpiry: shortExpiry.producers,
    transactionalIdExpiry: shortExpiry.transactionalIds,
  })
  return {
    ...harnessOf(brokers),
    stopBroker: async (broker) => brokers.stopBroker(broker),
    startBroker: async (broker) => brokers.startBroker(broker),
  }
}

function harnessOf(brokers: SimulatedBrokers): ContractHarness {
  const { clock } = brokers
  const connect = () => new MemoryCluster(brokers, { alias: regionAlias('simulated') })
  const cluster = connect()
  let names = 0
  return {
    cluster,
    clock,
    connect: async () => connect(),
    run: (work) => clock.run(work()),
    deleteTopic: async (name) => brokers.deleteTopic(name),
    deleteRecords: async (at, before) => brokers.deleteRecords(at, before),
    openTransaction: async () => {
      const transactionalId = `writer-${names++}`
      const writer = new TransactionalWriter(brokers, transactionalId)
      return {
        transactionalId,
        append: async (at, count) => {
          const pairs = Array.from({ length: count }, (_, i): [string, string] => [`key ${i}`, `value ${i}`])
          writer.append(at, recordsOf(pairs, clock.wallMs()))
        },
        commitOffset: async (group, at, offset) =>
          writer.commitOffsets(group, [{ ...at, offset, leaderEpoch: undefined, metadata: '' }]),
        end: async (how) => writer.end(how),
      }
    },
    newName: () => `contract-${names++}`,
    close: () => cluster.close(),
  }
}
