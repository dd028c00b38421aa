import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import {
  addSample,
  forecastOverrun,
  type RetentionHistory,
} from '../../../../replicator/flow/watches/retention-forecast.ts'

const secondMs = 1000
const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs
const wallMs = 1_000 * dayMs
const ageOnly = (ms: number) => ({ deletes: true, ms, bytes: undefined })
const never = { deletes: true, ms: undefined, bytes: undefined }

/**
 * A partition whose producer writes one record a millisecond, copied at `pace` records a millisecond from `lagMs`
 * behind on, while retention takes what is older than `retentionMs` in steps.
 */
class Scene {
  history: RetentionHistory = []
  nowMs = 0
  readonly #pace: number
  readonly #lagMs: number
  readonly #retentionMs: number
  readonly #stepMs: number

  constructor(scene: { pace: number; lagMs: number; retentionMs: number; stepMs?: number }) {
    this.#pace = scene.pace
    this.#lagMs = scene.lagMs
    this.#retentionMs = scene.retentionMs
    this.#stepMs = scene.stepMs ?? 1
  }

  /** Offset = milliseconds since the log's first record, which is old enough. */
  get position(): number {
    return this.#age - this.#lagMs + this.#pace * this.nowMs
  }
  get #age(): number {
    return this.#retentionMs * 4
  }
  get logStart(): number {
    const steps = Math.floor(this.nowMs / this.#stepMs)
    return this.#age - this.#retentionMs + steps * this.#stepMs
  }
  get logEnd(): number {
    return this.#age + this.nowMs
  }

  /** Looks every five seconds. */
  run(ms: number, known: { time?: boolean; exact?: boolean } = {}): void {
    for (const untilMs = this.nowMs + ms; this.nowMs < untilMs; ) {
      this.nowMs += 5 * secondMs
      this.history = addSample(this.history, {
        atMs: this.nowMs,
        logStart: BigInt(Math.floor(this.logStart)),
        logEnd: BigInt(Math.floor(this.logEnd)),
        position: BigInt(Math.floor(this.position)),
        nextTimestampMs: known.time === false ? undefined : wallMs - this.#age + this.position,
      })
    }
  }

  forecast(retention: Parameters<typeof forecastOverrun>[1]) {
    return forecastOverrun(this.history, retention, wallMs + this.nowMs)
  }
}

describe('when retention reaches what was not copied', () => {
  test('six days and 23 hours behind a retention of seven days, and not moving: within the hour', () => {
    const scene = new Scene({ pace: 0, lagMs: 6 * dayMs + 23 * hourMs, retentionMs: 7 * dayMs })
    scene.run(17 * minuteMs)
    const overrun = scene.forecast(ageOnly(7 * dayMs))
    assert.equal(overrun?.by, 'age')
    assert.equal(Math.round((overrun?.inMs ?? 0) / minuteMs), 43)
  })

  test('by age it is where records will be deleted, at any steady pace', () => {
    const scenes = fc.record({
      pace: fc.double({ min: 0, max: 0.95, noNaN: true }),
      share: fc.double({ min: 0.55, max: 0.95, noNaN: true }),
      retentionMs: fc.integer({ min: 2 * hourMs, max: 30 * dayMs }),
      watchedMs: fc.integer({ min: 10 * secondMs, max: 40 * minuteMs }),
    })
    fc.assert(
      fc.property(scenes, ({ pace, share, retentionMs, watchedMs }) => {
        const lagMs = share * retentionMs
        const scene = new Scene({ pace, lagMs, retentionMs })
        scene.run(watchedMs)
        // The lag grows by 1 - pace per millisecond until it is the retention.
        const leftMs = (retentionMs - lagMs) / (1 - pace) - scene.nowMs
        const inMs = scene.forecast(ageOnly(retentionMs))?.inMs
        assert.ok(inMs !== undefined)
        assert.ok(
          Math.abs(inMs - Math.max(0, leftMs)) <= 0.02 * Math.abs(leftMs) + secondMs,
          `${inMs} ${leftMs}`,
        )
      }),
    )
  })

  test('a partition that gains on its source is never in danger', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1.001, max: 50, noNaN: true }),
        fc.double({ min: 0.5, max: 0.99, noNaN: true }),
        (pace, share) => {
          const retentionMs = 10 * dayMs
          const scene = new Scene({ pace, lagMs: share * retentionMs, retentionMs, stepMs: 5 * minuteMs })
          scene.run(20 * minuteMs)
          assert.equal(scene.forecast(ageOnly(retentionMs)), undefined)
        },
      ),
    )
  })

  test('a short pause near the end of the log is no danger', () => {
    const scene = new Scene({ pace: 0, lagMs: 20 * secondMs, retentionMs: 10 * minuteMs })
    scene.run(30 * secondMs)
    assert.equal(scene.forecast(ageOnly(10 * minuteMs)), undefined)
  })

  test('what is not known is not said', () => {
    const scene = new Scene({ pace: 0, lagMs: 6 * dayMs, retentionMs: 7 * dayMs, stepMs: dayMs })
    scene.run(10 * minuteMs, { time: false })
    assert.equal(scene.forecast(ageOnly(7 * dayMs)), undefined, 'no time of the next record, no jump seen')
    assert.equal(forecastOverrun([], never, wallMs), undefined)
    assert.equal(forecastOverrun(scene.history.slice(0, 1), ageOnly(7 * dayMs), wallMs), undefined)
  })

  test('a caught-up partition is not in danger, whatever its last record', () => {
    const scene = new Scene({ pace: 1, lagMs: 0, retentionMs: hourMs })
    scene.run(10 * minuteMs)
    assert.equal(scene.forecast(ageOnly(hourMs)), undefined)
    const idle = { logStart: 0n, logEnd: 9n, position: 9n, nextTimestampMs: wallMs - 0.9 * hourMs }
    const samples = [0, 60_000].map((atMs) => ({ ...idle, atMs }))
    assert.equal(forecastOverrun(samples, ageOnly(hourMs), wallMs), undefined)
  })

  test('by the log start, moving in steps, where nothing but size deletes', () => {
    for (const stepMs of [30 * secondMs, minuteMs, 5 * minuteMs]) {
      const scene = new Scene({ pace: 0.25, lagMs: 4 * hourMs, retentionMs: 6 * hourMs, stepMs })
      scene.run(29 * minuteMs, { time: false })
      const overrun = scene.forecast(never)
      const leftMs = (2 * hourMs) / 0.75 - scene.nowMs
      assert.equal(overrun?.by, 'log-start')
      const error = Math.abs((overrun?.inMs ?? 0) - leftMs) / leftMs
      assert.ok(error < 0.1, `steps of ${stepMs} ms: off by ${error}`)
    }
  })

  test('a log start that has stopped moving is forgotten', () => {
    const scene = new Scene({ pace: 0, lagMs: 5 * hourMs, retentionMs: 6 * hourMs, stepMs: minuteMs })
    scene.run(10 * minuteMs, { time: false })
    const before = scene.forecast(never)?.inMs ?? 0
    const last = scene.history.at(-1)!
    for (let quiet = 1; quiet <= 15 * 12; quiet++)
      scene.history = addSample(scene.history, { ...last, atMs: last.atMs + quiet * 5 * secondMs })
    const after = forecastOverrun(scene.history, never, wallMs)?.inMs ?? Number.POSITIVE_INFINITY
    assert.ok(after > 2 * before, `${before} then ${after}`)
  })

  test('the earlier of both counts', () => {
    const scene = new Scene({ pace: 0, lagMs: 5 * hourMs, retentionMs: 6 * hourMs, stepMs: minuteMs })
    scene.run(10 * minuteMs)
    assert.equal(scene.forecast(ageOnly(6 * hourMs))?.by, 'age')
    assert.equal(scene.forecast(ageOnly(8 * hourMs))?.by, 'log-start')
    assert.equal(scene.forecast(ageOnly(100 * hourMs))?.by, 'log-start')
  })

  test('keeps few samples, whatever it sees', () => {
    const scene = new Scene({ pace: 0, lagMs: 5 * hourMs, retentionMs: 6 * hourMs, stepMs: 1 })
    scene.run(2 * hourMs)
    assert.ok(scene.history.length <= 120)
    const slow = new Scene({ pace: 0, lagMs: 5 * hourMs, retentionMs: 6 * hourMs, stepMs: 10 * hourMs })
    slow.run(2 * hourMs)
    assert.ok(slow.history.length <= 40, `${slow.history.length}`)
  })
})
