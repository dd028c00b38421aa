import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { FollowModel, groupStep } from './follow-model.ts'

/** Half of them without members on the target, half without retention: else little is left to be followed. */
const scene = fc
  .record({
    steps: fc.array(groupStep, { minLength: 1, maxLength: 60, size: 'max' }),
    rereadMax: fc.constantFrom(0n, 4n, 1_000n),
    isQuiet: fc.boolean(),
    isKept: fc.boolean(),
  })
  .map(({ steps, rereadMax, isQuiet, isKept }) => ({
    rereadMax,
    steps: steps
      .filter(({ kind }) => !isQuiet || kind !== 'target')
      .filter((one) => !isKept || one.kind !== 'map' || one.change.kind !== 'forget'),
  }))

describe('a followed group, whatever happens around it', () => {
  test('skips nothing, never goes back unless the source did, leaves the commits of members alone', () => {
    fc.assert(
      fc.property(scene, ({ steps, rereadMax }) => {
        const model = new FollowModel(rereadMax)
        for (const one of steps) model.happen(one)
      }),
      { numRuns: 2_000 },
    )
  })

  test('ends up at the exact translation when things calm down', () => {
    let arrived = 0
    fc.assert(
      fc.property(scene, fc.double({ min: 0, max: 1, noNaN: true }), ({ steps, rereadMax }, at) => {
        const model = new FollowModel(rereadMax)
        for (const one of steps) model.happen(one)
        model.sourceCommits(BigInt(Math.floor(at * model.truth.source)), 'the last')
        const place = model.calmDown()
        if (place?.kind !== 'at' || model.state.theirs !== undefined) return
        const { standing, sourcePosition } = model
        assert.ok(standing !== undefined && sourcePosition !== undefined)
        assert.equal(standing.metadata, 'the last')
        // What was known before a part of the map was forgotten may have been better.
        assert.ok(standing.offset >= place.offset, `stands at ${standing.offset}, not at ${place.offset}`)
        if (standing.offset > place.offset) assert.ok(model.isSafe(standing.offset, sourcePosition))
        arrived++
      }),
      { numRuns: 8_000 },
    )
    // About a third: of a thousand alone, now and then fewer than three hundred.
    assert.ok(arrived > 2_400, `${arrived} of 8000 groups could be followed at all`)
  })
})
