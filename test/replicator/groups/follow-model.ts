import assert from 'node:assert/strict'
import fc from 'fast-check'
import {
  dueAtMs,
  type Follow,
  type FollowAction,
  type FollowEvent,
  type Followed,
  type FollowOptions,
  follow,
  newFollow,
  type TargetCommit,
} from '../../../replicator/groups/follow-group.ts'
import { placeOnTarget, type TargetPlace } from '../../../replicator/groups/target-place.ts'
import { type CoarseSpan, OffsetMap } from '../../../replicator/offsets/offset-map.ts'
import { type SourceOffset, sourceOffset, targetOffset } from '../../../replicator/records/offsets.ts'
import { happen, step as mapStep, newTruth, partsOf } from '../offsets/copy-model.ts'

/** Everything that may happen around one partition of one group. */
export const groupStep = fc.oneof(
  {
    weight: 6,
    arbitrary: mapStep.map((change) => ({
      kind: 'map' as const,
      // Logs do not begin behind their end.
      change: change.kind === 'forget' ? { ...change, at: Math.min(change.at, 1) } : change,
    })),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('source-commits' as const),
      at: fc.double({ min: 0, max: 1.2, noNaN: true }),
      metadata: fc.constantFrom('', 'as the source has it'),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('answer' as const),
      outcome: fc.constantFrom('done' as const, 'done' as const, 'done-unheard' as const, 'lost' as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('target' as const),
      what: fc.constantFrom(
        'join' as const,
        'commit' as const,
        'leave' as const,
        'delete' as const,
        'expire' as const,
      ),
    }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'source-removes' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'give-back' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 40 }) }),
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
)
export type GroupStep = typeof groupStep extends fc.Arbitrary<infer T> ? T : never

/** A look is good for the step in which it is taken only. */
export const modelOptions: FollowOptions = { refreshMs: 30, watchMs: 30, lookLastsMs: 0 }

interface Standing extends TargetCommit {
  readonly by: 'us' | 'members'
  /** Where the source stood when it was decided, and how many commits it had seen. */
  readonly position: SourceOffset
  readonly age: number
}

/** The truth about both sides, a follower that is told of it, and what must hold whenever it acts. */
export class FollowModel {
  readonly truth = newTruth(3, 5)
  readonly map = new OffsetMap({ source: sourceOffset(3n), target: targetOffset(5n) })
  readonly rereadMax: bigint
  targetStart = targetOffset(0n)
  state: Follow = newFollow()
  standing: Standing | undefined
  #sending: Standing | undefined
  #sourceAt: { readonly position: SourceOffset; readonly metadata: string } | undefined
  readonly #history: SourceOffset[] = []
  #hasMembers = false
  #isThere = false
  #nowMs = 1_000

  constructor(rereadMax: bigint) {
    this.rereadMax = rereadMax
  }

  happen(one: GroupStep): void {
    this.#nowMs += 1
    switch (one.kind) {
      case 'map':
        this.#changeMap(() => happen(one.change, this.truth, this.map))
        if (one.change.kind === 'forget' && one.change.side === 'target') {
          const start = BigInt(Math.floor(one.change.at * this.truth.target))
          if (start > this.targetStart) this.#changeMap(() => (this.targetStart = targetOffset(start)))
        }
        return
      case 'source-commits':
        this.sourceCommits(BigInt(Math.floor(one.at * this.truth.source)), one.metadata)
        return
      case 'source-removes':
        this.#sourceAt = undefined
        this.#tell({ kind: 'source-removed', atMs: this.#nowMs })
        return
      case 'answer':
        this.#answer(one.outcome)
        return
      case 'target':
        this.#actOnTarget(one.what)
        return
      case 'give-back':
        if (this.standing !== undefined) this.standing = { ...this.standing, by: 'us', age: -1 }
        this.#tell({ kind: 'given-back', atMs: this.#nowMs })
        return
      case 'wait':
        this.#nowMs += one.ms
        this.#tell({ kind: 'time', atMs: this.#nowMs })
        return
      case 'restart':
        this.#restart()
    }
  }

  sourceCommits(at: bigint, metadata: string): void {
    const position = sourceOffset(at)
    this.#history.push(position)
    this.#sourceAt = { position, metadata }
    this.#tell({ kind: 'source-committed', commit: this.#sourceAt, atMs: this.#nowMs })
  }

  /** Members leave, spans are refined, requests are answered, time passes. @returns where the group ought to stand */
  calmDown(): TargetPlace | undefined {
    this.#answer('done')
    this.#hasMembers = false
    this.#changeMap(() => {
      const coarse = [...this.map.spans()].filter((span): span is CoarseSpan => !('count' in span))
      for (const span of coarse) assert.ok(this.map.refined(span, partsOf(span, this.truth, [])))
    })
    for (let round = 0; round < 6; round++) {
      this.#answer('done')
      this.#nowMs = Math.max(this.#nowMs + 1, dueAtMs(this.state, modelOptions) ?? 0)
      this.#tell({ kind: 'time', atMs: this.#nowMs })
    }
    this.#answer('done')
    return this.#sourceAt === undefined ? undefined : this.#placeOf(this.#sourceAt.position)
  }

  /** No record that is on the target, or will be, and that is at or above the source position lies below it. */
  isSafe(offset: bigint, position: bigint): boolean {
    const skips = this.truth.copies.some(
      (copy) => copy.source >= position && copy.target >= this.targetStart && copy.target < offset,
    )
    return !skips && offset <= this.truth.target
  }

  get sourcePosition(): SourceOffset | undefined {
    return this.#sourceAt?.position
  }

  #placeOf(position: SourceOffset): TargetPlace {
    return placeOnTarget({
      translation: this.map.translate(position),
      targetStart: this.targetStart,
      rereadMax: this.rereadMax,
    })
  }

  #changeMap(change: () => void): void {
    change()
    if (this.#sourceAt === undefined) return
    const { position } = this.#sourceAt
    this.#tell({ kind: 'placed', position, place: this.#placeOf(position), atMs: this.#nowMs })
  }

  #tell(event: FollowEvent): void {
    const { state, actions } = follow(this.state, event, modelOptions)
    this.state = state
    for (const action of actions) this.#act(action)
  }

  #act(action: FollowAction): void {
    const atMs = this.#nowMs
    if (action.kind === 'place')
      this.#tell({ kind: 'placed', position: action.position, place: this.#placeOf(action.position), atMs })
    if (action.kind === 'look') {
      const { standing } = this
      const commit = standing && { offset: standing.offset, metadata: standing.metadata }
      const group = this.#hasMembers ? 'has-members' : this.#isThere ? 'empty' : 'absent'
      this.#tell({ kind: 'looked', group, commit, atMs })
    }
    if (action.kind === 'commit') this.#send(action.commit)
  }

  #send(commit: TargetCommit): void {
    assert.equal(this.#sending, undefined, 'two commits at once')
    assert.ok(this.#sourceAt, 'a commit for a group that committed nothing')
    const { position, metadata } = this.#sourceAt
    assert.ok(this.isSafe(commit.offset, position), `${commit.offset} skips what ${position} has not read`)
    assert.equal(commit.metadata, metadata)
    const { standing } = this
    if (standing?.by === 'us' && standing.age >= 0 && commit.offset < standing.offset) {
      const wentBack = this.#history.slice(standing.age).some((later) => later < standing.position)
      assert.ok(wentBack, `${commit.offset} is below ${standing.offset}, but the source never went back`)
    }
    this.#sending = { ...commit, by: 'us', position, age: this.#history.length }
  }

  #answer(outcome: 'done' | 'done-unheard' | 'lost'): void {
    const sent = this.#sending
    if (sent === undefined) return
    this.#sending = undefined
    const atMs = this.#nowMs
    const failed = { kind: 'commit-failed', retryAtMs: atMs + 3, atMs } as const
    if (outcome === 'lost' || this.#hasMembers) {
      this.#tell(outcome === 'lost' ? failed : { kind: 'group-is-used', atMs })
      return
    }
    assert.notEqual(this.standing?.by, 'members', 'committed over what members committed')
    this.standing = sent
    this.#isThere = true
    this.#tell(outcome === 'done' ? { kind: 'committed', atMs } : failed)
  }

  #actOnTarget(what: 'join' | 'commit' | 'leave' | 'delete' | 'expire'): void {
    if (what === 'join') {
      this.#hasMembers = true
      this.#isThere = true
    }
    if (what === 'commit' && this.#hasMembers) {
      const offset = targetOffset(this.targetStart + 1n)
      const position = sourceOffset(0n)
      this.standing = { offset, metadata: 'of a member', by: 'members', position, age: 0 }
    }
    // Brokers cannot compare and set: a member that comes and goes while a commit is under way is outwritten.
    if (this.#sending !== undefined) return
    if (what === 'leave') this.#hasMembers = false
    if (this.#hasMembers) return
    if (what === 'expire' || what === 'delete') this.standing = undefined
    if (what === 'delete') this.#isThere = false
  }

  /** What was meant to be written was remembered before it was sent. */
  #restart(): void {
    const { followed, doubtful, sending } = this.state
    const known = [followed, ...doubtful, sending].filter((one): one is Followed => one !== undefined)
    if (this.#sending !== undefined && !this.#hasMembers && this.standing?.by !== 'members') {
      this.standing = this.#sending
      this.#isThere = true
    }
    this.#sending = undefined
    this.state = newFollow(known)
    if (this.#sourceAt !== undefined)
      this.#tell({ kind: 'source-committed', commit: this.#sourceAt, atMs: this.#nowMs })
  }
}
