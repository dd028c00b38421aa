import assert from 'node:assert/strict'
import { defaultBackoff } from '../../../replicator/clock/backoff.ts'
import { defaultFlowLimits } from '../../../replicator/flow/flow-limits.ts'
import {
  type ResumeReport,
  type ResumeRequest,
  resumeFlow,
} from '../../../replicator/flow/resume/resume-flow.ts'
import { everyShard } from '../../../replicator/shards/shard-claims.ts'
import { topicRules } from '../../../replicator/topics/topic-rules.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'
import { MemoryCluster } from '../../simulation/memory-cluster.ts'
import { FlowScene } from './flow-scene.ts'

const usEast = regionAlias('us-east')
const euWest = regionAlias('eu-west')

/** A flow scene in which a person decides about stopped partitions. */
export class GapsScene extends FlowScene {
  /** `causeway flow resume`, with clients of its own. */
  async resume(
    request: Omit<ResumeRequest, 'dryRun'> & { readonly dryRun?: boolean },
  ): Promise<ResumeReport> {
    const source = new MemoryCluster(this.source, { alias: usEast })
    const target = new MemoryCluster(this.target, { alias: euWest })
    try {
      return await this.run(() =>
        resumeFlow(
          {
            flow: this.flow,
            progressTopic: 'causeway.test.progress',
            transactionalIdOf: (shard) => `causeway.test.${shard}`,
            claims: everyShard(this.flow.shards),
            registry: undefined,
            origins: undefined,
            rule: 'everything',
            source,
            target,
            rules: topicRules(this.flow, [usEast, euWest]),
            clock: this.clock,
            random: this.random.fork(),
            backoff: defaultBackoff,
            limits: defaultFlowLimits,
            announce: () => {},
            discoveryIntervalMs: 1000,
            acceptsGap: () => false,
          },
          { dryRun: false, ...request },
          new AbortController().signal,
        ),
      )
    } finally {
      for (const client of [source, target]) {
        assert.equal(client.leases.held, 0, `every frame of ${client.alias} is released`)
        client.destroy()
      }
    }
  }
}
