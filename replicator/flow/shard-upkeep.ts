import { KafkaError } from '../kafka/errors.ts'
import type { FlowOptions } from './flow-options.ts'
import type { HeldShard } from './held-shard.ts'
import { partitionKey } from './partition-key.ts'
import { progressMoved } from './progress-moved.ts'

/** Writes progress again and again until the signal aborts. @throws ShardLostError */
export async function keepProgress(
  held: HeldShard,
  options: FlowOptions,
  signal: AbortSignal,
): Promise<void> {
  const { clock, limits, announce, flow } = options
  while (true) {
    await clock.sleep(limits.progressIntervalMs, signal)
    try {
      await writeProgress(held, options, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof KafkaError)) throw error
      announce({ flow: flow.id, kind: 'progress-not-written', reason: error.message })
    }
  }
}

/** Writes all that the next owner goes by. @throws KafkaError, ShardLostError; the signal's reason */
export async function writeAll(held: HeldShard, options: FlowOptions, signal: AbortSignal): Promise<void> {
  await writeProgress(held, options, signal)
  await held.maps?.flush(signal)
  for (const companion of held.companions) await companion.finish(signal)
}

async function writeProgress(
  held: HeldShard,
  { flow, rule }: FlowOptions,
  signal: AbortSignal,
): Promise<void> {
  const moved = progressMoved(held.partitions.values(), held.written, flow.id, rule)
  if (moved.length === 0) return
  await held.shard.write(moved, signal)
  for (const { key, progress } of moved) held.written.set(partitionKey(key.topic, key.partition), progress)
}
