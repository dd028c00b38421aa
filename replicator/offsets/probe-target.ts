import { type TargetBatch, TargetStretch } from './target-stretch.ts'

/** Batches looked at from either end before the probe gives up. */
const BATCHES_MAX = 16
/** A span ends behind the marker of whoever took the partition over: the last batch of ours is looked for before it. */
const OFFSETS_BACK = 8n

/** Walks a target log from an offset on. */
export type TargetWalk<Batch> = (from: bigint, visit: (batch: Batch) => 'on' | 'enough') => Promise<void>

/**
 * Looks at both ends of a target stretch only. Where one producer epoch wrote both and its sequence numbers are as far
 * apart as the offsets are, every offset between is a copy: nothing of it need be read.
 *
 * @returns `undefined` when that does not tell every offset
 */
export async function probeTarget<Batch>(
  from: bigint,
  to: bigint,
  walk: TargetWalk<Batch>,
  describe: (batch: Batch) => TargetBatch,
): Promise<TargetStretch | undefined> {
  const stretch = new TargetStretch(Number(from), Number(to))
  let verdict: 'on' | 'enough' = 'on'
  let next = from
  let batches = 0
  const add = (batch: Batch): TargetBatch => {
    const described = describe(batch)
    verdict = stretch.add(described)
    batches += 1
    if (BigInt(described.next) > next) next = BigInt(described.next)
    return described
  }
  await walk(from > 0n ? from - 1n : 0n, (batch) =>
    add(batch).producer !== undefined || verdict === 'enough' || batches >= BATCHES_MAX ? 'enough' : 'on',
  )
  batches = 0
  const back = to - OFFSETS_BACK
  if (next < to) {
    await walk(back > next ? back : next, (batch) => {
      add(batch)
      return next >= to || batches >= BATCHES_MAX ? 'enough' : 'on'
    })
  }
  if (stretch.reached < Number(to) || stretch.isContradicted) return undefined
  return stretch.pieces().every((piece) => piece.min === piece.to - piece.from) ? stretch : undefined
}
