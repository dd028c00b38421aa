import { regionAlias } from '../../replicator/topology/identifiers.ts'
import type { ContractHarness } from '../contract/contract-harness.ts'
import { MemoryCluster } from './memory-cluster.ts'
import { recordsOf } from './record-batches.ts'
import { SimulatedBrokers } from './simulated-brokers.ts'
import { SimulatedClock } from './simulated-clock.ts'
import { TransactionalWriter } from './transactional-writer.ts'

/** The contract suite's view of a simulated cluster with one broker. */
export function memoryHarness(): ContractHarness {
  const clock = new SimulatedClock()
  const brokers = new SimulatedBrokers({ clock })
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
        end: async (how) => writer.end(how),
      }
    },
    newName: () => `contract-${names++}`,
    close: () => cluster.close(),
  }
}
