import { after, before, describe, test } from 'node:test'
import { channelContract } from './channel-contract.ts'
import type { Check, ContractHarness } from './contract-harness.ts'
import { fetchContract } from './fetch-contract.ts'
import { groupContract } from './group-contract.ts'
import { groupOffsetsContract } from './group-offsets-contract.ts'
import { metadataContract } from './metadata-contract.ts'
import { offsetsContract } from './offsets-contract.ts'
import { offsetsTopicContract } from './offsets-topic-contract.ts'
import { produceContract } from './produce-contract.ts'
import { producerStateContract } from './producer-state-contract.ts'
import { refusalContract } from './refusal-contract.ts'
import { transactionsContract } from './transactions-contract.ts'

/**
 * What every implementation of the Cluster port has in common, whether its brokers are real or simulated. The real
 * broker is the judge: where it behaves otherwise than expected here, expectation and simulation follow it.
 *
 * @param start called once; every test makes topics of its own
 */
export function clusterContract(name: string, start: () => Promise<ContractHarness>): void {
  describe(name, () => {
    let harness: ContractHarness | undefined
    before(async () => {
      harness = await start()
    })
    after(() => harness?.close())
    const check: Check = (title, body) => {
      test(title, () => {
        if (harness === undefined) throw new Error('the cluster did not start')
        const started = harness
        return started.run(() => body(started))
      })
    }
    metadataContract(check)
    offsetsContract(check)
    produceContract(check)
    transactionsContract(check)
    producerStateContract(check)
    refusalContract(check)
    fetchContract(check)
    channelContract(check)
    groupContract(check)
    groupOffsetsContract(check)
    offsetsTopicContract(check)
  })
}
