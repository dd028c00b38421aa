import { clusterContract } from '../contract/cluster-contract.ts'
import { realHarness } from './real-harness.ts'

clusterContract('a real cluster', realHarness)
