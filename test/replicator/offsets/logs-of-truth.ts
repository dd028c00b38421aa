import type { SourceBatch } from '../../../replicator/offsets/source-stretch.ts'
import type { TargetBatch } from '../../../replicator/offsets/target-stretch.ts'
import type { Truth } from './copy-model.ts'

/** What became of a log: how much of it a cleaner took, 0 to 1. */
export interface Dirt {
  readonly source: number
  readonly target: number
}

/** Both logs as they may look where just this was copied. */
export interface Logs {
  readonly source: readonly SourceBatch[]
  readonly target: readonly TargetBatch[]
}

/** Chance from a seed: the same every time. */
export function chanceOf(seed: number): () => number {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function logsOf(truth: Truth, dirt: Dirt, chance: () => number): Logs {
  return { source: sourceOf(truth, dirt.source, chance), target: targetOf(truth, dirt.target, chance) }
}

/** Cuts a log into stretches of one kind, each at most a few offsets long. */
function* stretches(end: number, copied: ReadonlySet<number>, chance: () => number) {
  for (let base = 0; base < end; ) {
    const isCopied = copied.has(base)
    const longest = 1 + Math.floor(chance() * 5)
    let next = base + 1
    while (next < end && next - base < longest && copied.has(next) === isCopied) next += 1
    yield { base, next, isCopied }
    base = next
  }
}

function sourceOf(truth: Truth, dirt: number, chance: () => number): readonly SourceBatch[] {
  const copied = new Set(truth.copies.map(({ source }) => source))
  const log: SourceBatch[] = []
  for (const { base, next, isCopied } of stretches(truth.source, copied, chance)) {
    const isHit = chance() < dirt
    if (!isCopied) {
      if (!isHit) log.push({ base, next, forwarded: 'none' })
      // Records that were gone before copying came by; their batch may still be there, empty.
      else if (chance() < 0.3) log.push({ base, next, forwarded: [] })
      continue
    }
    if (!isHit) log.push({ base, next, forwarded: 'all' })
    else {
      const forwarded = range(base, next).filter(() => chance() < 0.5)
      if (forwarded.length > 0 || chance() < 0.5) log.push({ base, next, forwarded })
    }
  }
  return log
}

function targetOf(truth: Truth, dirt: number, chance: () => number): readonly TargetBatch[] {
  const copied = new Set(truth.copies.map(({ target }) => target))
  const log: TargetBatch[] = []
  // The sequence wraps within the first epoch.
  let producer = { producerId: 7n, producerEpoch: 3, baseSequence: 2 ** 31 - 5 }
  for (const { base, next, isCopied } of stretches(truth.target, copied, chance)) {
    const isHit = chance() < dirt
    if (!isCopied) {
      if (!isHit) log.push({ base, next, producer: undefined })
      continue
    }
    if (chance() < 0.15) {
      const isNew = chance() < 0.3
      const { producerId, producerEpoch } = producer
      producer = {
        producerId: isNew ? producerId + 1n : producerId,
        producerEpoch: isNew ? 0 : producerEpoch + 1,
        baseSequence: 0,
      }
    }
    if (!isHit) log.push({ base, next, producer })
    producer = { ...producer, baseSequence: (producer.baseSequence + next - base) % 2 ** 31 }
  }
  return log
}

const range = (from: number, to: number): readonly number[] =>
  Array.from({ length: to - from }, (_, i) => from + i)
