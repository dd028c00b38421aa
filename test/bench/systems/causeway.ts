/** Our own replicator, started the way a user starts it. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { stringify } from 'yaml'
import type { CopyJob, System } from './system.ts'

const root = join(import.meta.dirname, '../../..')

/** @param tree the checkout to run, if not this one */
export function causeway(tree = root): System {
  const program = join(tree, 'replicator/cli/causeway.js')
  return {
    name: 'causeway',
    missing: () => (existsSync(program) ? undefined : 'replicator/cli/causeway.js does not exist'),
    wantsTargetTopic: false,
    targetTopic: (job) => `source${job.id}.${job.topic}`,
    async prepare(job) {
      const file = join(job.folder, 'causeway.yaml')
      await writeFile(file, stringify(configuration(job)))
      return { file: process.execPath, args: [program, 'replicate', '-c', file] }
    },
  }
}

/**
 * The smallest configuration that copies one topic: every setting that bears on speed is left at its default. Health is
 * served on any free port.
 */
export function configuration(job: CopyJob): object {
  const [source, target] = [`source${job.id}`, `target${job.id}`]
  const security = job.caFile === undefined ? {} : { security: { tls: { ca: job.caFile } } }
  const groups = job.groups === undefined ? {} : { groups: [{ match: job.groups }] }
  return {
    name: `bench-${job.id}`,
    pattern: 'custom',
    regions: {
      [source]: { role: 'peer', bootstrap: [job.sourceBootstrap], ...security },
      [target]: { role: 'peer', bootstrap: [job.targetBootstrap], ...security },
    },
    flows: [{ source, target, topics: [{ name: job.topic }], naming: 'prefixed', ...groups }],
    http: { host: '127.0.0.1', port: 0 },
  }
}
