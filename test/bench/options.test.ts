import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { parseOptions } from './options.ts'
import { systemNames, workloadNames } from './results.ts'

describe('the command line', () => {
  test('measures everything in three rounds by default', () => {
    const options = parseOptions([])!
    assert.equal(options.rounds, 3)
    assert.deepEqual(options.systems, systemNames)
    assert.deepEqual(options.workloads, workloadNames)
    assert.equal('jsonFile' in options, false)
  })

  test('--quick is one round, unless asked otherwise', () => {
    assert.equal(parseOptions(['--quick'])!.rounds, 1)
    assert.equal(parseOptions(['--quick', '--rounds', '2'])!.rounds, 2)
    assert.deepEqual(parseOptions(['--quick', '--workloads', 'throughput-100b'])!.workloads, [
      'throughput-100b',
    ])
  })

  test('lists keep their usual order', () =>
    assert.deepEqual(parseOptions(['--systems', 'redpanda-connect, causeway'])!.systems, [
      'causeway',
      'redpanda-connect',
    ]))

  test('--offsets is for systems that carry groups over', () => {
    assert.equal(parseOptions([])!.offsets, false)
    assert.deepEqual(parseOptions(['--offsets'])!.systems, ['causeway', 'mirrormaker2'])
    assert.deepEqual(parseOptions(['--offsets', '--quick', '--systems', 'causeway'])!.systems, ['causeway'])
    assert.throws(
      () => parseOptions(['--offsets', '--systems', 'redpanda-connect']),
      /unknown redpanda-connect/,
    )
  })

  test('says what is wrong', () => {
    assert.throws(
      () => parseOptions(['--systems', 'causeway,brooklin']),
      /unknown brooklin; known are causeway/,
    )
    assert.throws(() => parseOptions(['--rounds', '0']), /--rounds: 0 is not a whole number above 0/)
    assert.throws(() => parseOptions(['--plot-from', 'a.json']), /needs --plot/)
    assert.throws(() => parseOptions(['--fast']), /--fast/)
  })

  test('help is asked for', () => assert.equal(parseOptions(['--help']), undefined))
})
