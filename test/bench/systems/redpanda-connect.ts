/** Redpanda Connect (Go, franz-go), if it is on PATH, as a copy from topic to topic. */
import { accessSync, constants } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { stringify } from 'yaml'
import type { CopyJob, System } from './system.ts'

const program = 'redpanda-connect'

/** @param path the value of PATH */
export function redpandaConnect(path: string): System {
  const found = path
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find(isExecutable)
  return {
    name: 'redpanda-connect',
    missing: () => (found ? undefined : `${program} is not on PATH`),
    wantsTargetTopic: true,
    targetTopic: (job) => `copy${job.id}.${job.topic}`,
    async prepare(job) {
      const file = join(job.folder, 'redpanda-connect.yaml')
      await writeFile(file, stringify(configuration(job, this.targetTopic(job))))
      return { file: found ?? program, args: ['run', file] }
    },
  }
}

/**
 * Tuned for throughput: large fetches, many batches in flight, and each record written to the partition it came from,
 * so that it does the same job as the others.
 */
function configuration(job: CopyJob, targetTopic: string): object {
  return {
    http: { enabled: false },
    logger: { level: 'WARN' },
    input: {
      redpanda: {
        seed_brokers: [job.sourceBootstrap],
        topics: [job.topic],
        consumer_group: `bench-${job.id}`,
        start_offset: 'earliest',
        partition_buffer_bytes: '16MB',
        fetch_max_bytes: '50MiB',
        fetch_max_partition_bytes: '8MiB',
        max_yield_batch_bytes: '1MB',
        topic_lag_refresh_period: '5s',
      },
    },
    output: {
      redpanda: {
        seed_brokers: [job.targetBootstrap],
        topic: targetTopic,
        // Interpolations of Redpanda Connect, not of JavaScript.
        key: '$' + '{! @kafka_key }',
        partitioner: 'manual',
        partition: '$' + '{! @kafka_partition }',
        max_in_flight: 64,
        compression: 'none',
        max_message_bytes: '1MB',
      },
    },
  }
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
