import { clusterContract } from '../contract/cluster-contract.ts'
import { takeoverContract } from '../contract/takeover-contract.ts'
import { fragileMemoryHarness, memoryHarness } from './memory-harness.ts'

clusterContract('the simulated cluster', async () => memoryHarness())
takeoverContract('a simulated cluster that forgets soon', async () => fragileMemoryHarness())
