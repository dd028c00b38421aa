import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import {
  acknowledge,
  bytesPerRun,
  readAgain,
  residentBytes,
  written,
} from '../../bench/offsets/measure-map.ts'
import { type PatternName, patternNames } from '../../bench/offsets/patterns.ts'

const RUNS = 250_000
/** 10^6 runs in 64 MiB. */
const RESIDENT_BYTES_PER_RUN_MAX = 67
const BYTES_PER_RUN_MAX: Readonly<Record<PatternName, number>> = {
  even: 4,
  transactional: 4,
  'two-way': 7,
  compacted: 5,
}

describe('the size of an offset map', () => {
  test('in memory: 33 bytes a run and little on top, however it was told', () => {
    const before = residentBytes()
    const { map, records } = acknowledge('even', RUNS)
    const resident = residentBytes() - before
    assert.deepEqual([map.size, records], [RUNS, RUNS * 1000])
    assert.ok(map.bytes / RUNS < 34, `${map.bytes / RUNS} bytes a run in arrays`)
    assert.ok(resident / RUNS < 48, `${resident / RUNS} bytes a run`)
    assert.ok(resident > map.bytes / 2, 'something was measured')
    const again = residentBytes()
    const read = readAgain(written(map), map)
    const residentRead = residentBytes() - again
    assert.ok(read.bytes / RUNS < 34)
    assert.ok(residentRead / RUNS < RESIDENT_BYTES_PER_RUN_MAX, `${residentRead / RUNS} bytes a run, read`)
  })

  test('of a partition with few runs: under a kilobyte in arrays', () => {
    const { map } = acknowledge('transactional', 10)
    assert.ok(map.bytes <= 1024, `${map.bytes}`)
  })

  for (const pattern of patternNames) {
    test(`in its topic: ${pattern}`, () => {
      const { map } = acknowledge(pattern, 20_000)
      const { withKeys } = bytesPerRun(written(map), map.size)
      assert.ok(withKeys < BYTES_PER_RUN_MAX[pattern], `${withKeys} bytes a run`)
    })
  }
})
