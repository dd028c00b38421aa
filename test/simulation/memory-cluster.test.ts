import { clusterContract } from '../contract/cluster-contract.ts'
import { memoryHarness } from './memory-harness.ts'

clusterContract('the simulated cluster', async () => memoryHarness())
