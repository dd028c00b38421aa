import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'
import type { Plan } from './plan.ts'
import { lateCommit, lateCommitThenMove, outcomeForgotten, successorForgotten } from './telling-plans.ts'

interface Edit {
  /** Below `replicator/`. */
  readonly file: string
  readonly from: string
  readonly to: string
}

/**
 * The product with one thing wrong, to see that the simulation would notice. A variant replaces text of modules while
 * they are loaded; text that is not there any more throws, so that no variant outlives what it breaks.
 */
export interface BrokenVariant {
  readonly name: string
  /** What an inattentive change could have done. */
  readonly story: string
  readonly edits: readonly Edit[]
  /** It must be found within this many seeds, from 1 on, or by its own plan. */
  readonly seedsMax: number
  /** A seed or a plan that finds it. */
  readonly foundBy: number | Plan
}

export const brokenVariants: readonly BrokenVariant[] = [
  {
    name: 'skip-the-fence',
    story: 'takes a shard over without a marker in its data partitions',
    edits: [
      {
        file: 'shards/fencing.ts',
        from: 'const asked = [progress, ...left.map((place) => place.target)]',
        to: 'const asked = [progress]',
      },
      {
        file: 'shards/fencing.ts',
        from: 'const failed = left.filter((place) => outcomes.get(keyOf(place.target))?.result.ok !== true)',
        to: 'const failed: FencePlace[] = []',
      },
      {
        file: 'shards/target-tail.ts',
        from: "if (this.#result === undefined) throw new Error('The walk has not reached our marker')\n    return this.#result",
        to: 'if (this.#result === undefined) this.#end()\n    return this.#result as TargetTail',
      },
      {
        file: 'shards/recover-partition.ts',
        from: 'const MARKER_WAIT = { waitMs: 10_000 }',
        to: "const MARKER_WAIT = 'stop' as const",
      },
      {
        file: 'shards/recover-partition.ts',
        from: "if (found.kind === 'end') return { kind: 'unmarked' }",
        to: '',
      },
      {
        file: 'shards/recover-partition.ts',
        from: "return kind === 'end' ? { kind: 'unmarked' } : reader.result",
        to: 'return reader.result',
      },
    ],
    seedsMax: 100,
    foundBy: 89,
  },
  {
    name: 'any-marker-will-do',
    story: 'reads the target to the first marker instead of its own',
    edits: [
      {
        file: 'shards/target-tail.ts',
        from: "return isProducedBy(buffer, at, this.#marker) ? this.#end() : 'on'",
        to: 'return this.#end()',
      },
    ],
    seedsMax: 200,
    foundBy: 2,
  },
  {
    name: 'count-one-less',
    story: 'goes on one record too early after counting',
    edits: [
      {
        file: 'shards/source-count.ts',
        from: 'sourceOffset(first + BigInt(this.#missing))',
        to: 'sourceOffset(first + BigInt(this.#missing) - 1n)',
      },
    ],
    seedsMax: 50,
    foundBy: 2,
  },
  {
    name: 'count-one-more',
    story: 'goes on one record too late after counting',
    edits: [
      {
        file: 'shards/source-count.ts',
        from: 'sourceOffset(first + BigInt(this.#missing))',
        to: 'sourceOffset(first + BigInt(this.#missing) + 1n)',
      },
    ],
    seedsMax: 50,
    foundBy: 2,
  },
  {
    name: 'drop-the-start-record',
    story: 'starts a partition without writing its start pair',
    edits: [
      {
        file: 'flow/partition-starter.ts',
        from: 'await shard.write([this.#entryOf(place.key, started)], signal)',
        to: '',
      },
    ],
    seedsMax: 50,
    foundBy: 2,
  },
  {
    name: 'progress-without-its-sequence',
    story: 'writes progress that names a sequence number from before',
    edits: [
      {
        file: 'flow/partition-window.ts',
        from: 'this.#sequence = sequenceAfter(this.#sequence, records)',
        to: '',
      },
    ],
    seedsMax: 50,
    foundBy: 14,
  },
  {
    name: 'forget-a-batch-in-flight',
    story: 'goes on behind the first unanswered batch when a connection breaks',
    edits: [
      {
        file: 'flow/partition-window.ts',
        from: "this.#queuedFrom = this.#entries.findIndex((entry) => entry.state === 'queued')",
        to: `this.#nextSequence = this.#entries[0]?.sequence ?? this.#nextSequence
    this.#entries.splice(0, 1)
    this.#resend()
    this.#queuedFrom = 0`,
      },
    ],
    seedsMax: 50,
    foundBy: 11,
  },
  {
    name: 'resend-without-memory-check',
    story: 'sends an unanswered batch again however long the brokers remember it',
    edits: [
      {
        file: 'flow/partition-window.ts',
        from: 'if (!this.#hasUnsure) return false',
        to: 'return false',
      },
    ],
    seedsMax: 0,
    foundBy: outcomeForgotten,
  },
  {
    name: 'never-doubt-ownership',
    story: 'sends after a pause without asking whose the shard is',
    edits: [
      {
        file: 'shards/shard.ts',
        from: 'return this.#proof.ageMs(at) <= this.#options.limits.proofMaxMs',
        to: 'return true',
      },
    ],
    seedsMax: 0,
    foundBy: successorForgotten,
  },
  {
    name: 'read-uncommitted',
    story: 'copies records of transactions that are not decided',
    edits: [
      {
        file: 'flow/source-lane.ts',
        from: "isolation: 'read_committed'",
        to: "isolation: 'read_uncommitted'",
      },
    ],
    seedsMax: 50,
    foundBy: 1,
  },
  {
    name: 'merge-over-a-source-gap',
    story: "lengthens a map's run by records that do not follow on the source",
    edits: [
      {
        file: 'offsets/run-block.ts',
        from: 'this.#bounds[at] !== sourceFrom || this.#bounds[at + 1] !== targetFrom',
        to: 'this.#bounds[at + 1] !== targetFrom',
      },
      {
        file: 'offsets/run-store.ts',
        from: 'span.sourceFrom !== this.#endSource || span.targetFrom !== this.#endTarget',
        to: 'span.targetFrom !== this.#endTarget',
      },
    ],
    seedsMax: 50,
    foundBy: 2,
  },
  {
    name: 'merge-over-a-target-gap',
    story: "lengthens a map's run by records that do not follow on the target",
    edits: [
      {
        file: 'offsets/run-block.ts',
        from: 'this.#bounds[at] !== sourceFrom || this.#bounds[at + 1] !== targetFrom',
        to: 'this.#bounds[at] !== sourceFrom',
      },
      {
        file: 'offsets/run-store.ts',
        from: 'span.sourceFrom !== this.#endSource || span.targetFrom !== this.#endTarget',
        to: 'span.sourceFrom !== this.#endSource',
      },
    ],
    seedsMax: 50,
    foundBy: 6,
  },
  {
    name: 'map-without-its-takeovers',
    story: 'goes on with a map after a takeover as if nothing had been copied meanwhile',
    edits: [
      {
        file: 'flow/maps/partition-map.ts',
        from: 'map.appendCoarse({ sourceFrom: end.source, sourceTo: source, targetFrom: end.target, targetTo: target })',
        to: 'if (end.source <= source) map.reach({ source, target })',
      },
    ],
    seedsMax: 50,
    foundBy: 12,
  },
  {
    name: 'map-of-a-former-topic',
    story: 'believes what was written about a topic that was re-created since',
    edits: [
      {
        file: 'offsets/read-chunks.ts',
        from: 'one === undefined || other === undefined || one === other',
        to: 'true || one === other',
      },
    ],
    seedsMax: 50,
    foundBy: 11,
  },
  {
    name: 'group-one-too-far',
    story: 'commits one record above where a group stands',
    edits: [
      {
        file: 'groups/target-place.ts',
        from: "return { kind: 'at', offset: translation.offset, rereadMax: 0n, because: 'exact' }",
        to: "return { kind: 'at', offset: targetOffset(translation.offset + 1n), rereadMax: 0n, because: 'exact' }",
      },
    ],
    seedsMax: 50,
    foundBy: 7,
  },
  {
    name: "commit-over-the-target's-own",
    story: 'takes what stands on the target for its own commit, whoever made it',
    edits: [
      {
        file: 'groups/follow-group.ts',
        from: "return { ...next, theirs: next.theirs ?? 'committed-on-target' }",
        to: 'return { ...next, followed: undefined }',
      },
    ],
    seedsMax: 50,
    foundBy: 10,
  },
  {
    name: 'commit-without-memory',
    story: 'commits for groups without writing it down before',
    edits: [
      {
        file: 'groups/followed-groups.ts',
        from: 'await this.#parts.remember(',
        to: 'if (0 > 1) await this.#parts.remember(',
      },
    ],
    seedsMax: 50,
    foundBy: 2,
  },
  {
    name: 'late-commits-unknown',
    story: 'forgets commits that may still arrive as soon as a later one has succeeded',
    edits: [
      {
        file: 'groups/follow-group.ts',
        from: 'doubtful: stillDoubtful(state, event.atMs),',
        to: 'doubtful: [],',
      },
    ],
    seedsMax: 0,
    foundBy: lateCommitThenMove,
  },
  {
    name: 'late-commits-unseen',
    story: 'does not look whether a commit has arrived late',
    edits: [
      {
        file: 'groups/follow-group.ts',
        from: 'return isLookDue ? askLook(state) : idle(state, need)',
        to: 'return idle(state, need)',
      },
    ],
    seedsMax: 0,
    foundBy: lateCommit,
  },
  {
    name: 'forget-former-shards',
    story: 'remembers nothing of what shards committed before the flow was re-sharded',
    edits: [
      {
        file: 'groups/shard-groups.ts',
        from: 'if (partition !== index) await',
        to: 'if (partition < 0) await',
      },
    ],
    seedsMax: 50,
    foundBy: 11,
  },
]

const product = join(import.meta.dirname, '..', '..', '..', 'replicator')

/** The variant's modules, by their paths below `replicator/`. @throws Error when what is replaced is not there exactly once */
export function brokenModules({ name, edits }: BrokenVariant): ReadonlyMap<string, string> {
  const modules = new Map<string, string>()
  for (const { file, from, to } of edits) {
    const parts = (modules.get(file) ?? readFileSync(join(product, file), 'utf8')).split(from)
    if (parts.length !== 2)
      throw new Error(`variant ${name}: ${file} holds ${parts.length - 1} times: ${from}`)
    modules.set(file, parts.join(to))
  }
  return modules
}

/** Makes every later import in this thread see the broken modules. @throws Error when there is no such variant */
export function breakProduct(name: string): void {
  const variant = brokenVariants.find((candidate) => candidate.name === name)
  if (variant === undefined) {
    throw new Error(`no variant ${name}; there are: ${brokenVariants.map((known) => known.name).join(', ')}`)
  }
  const modules = brokenModules(variant)
  registerHooks({
    load(url, context, nextLoad) {
      const [, path = ''] = url.split('/replicator/')
      const source = modules.get(path)
      if (source === undefined) return nextLoad(url, context)
      return { format: 'module-typescript', source, shortCircuit: true }
    },
  })
}
