import assert from 'node:assert/strict'
import { test } from 'node:test'
import { compareSequences } from './sequence-check.ts'

const compare = (source: string, target: string) => {
  const { lost, duplicated, foreign, reordered, firstAt } = compareSequences([...source], [...target])
  return [lost, duplicated, foreign, reordered, firstAt]
}

test('the same records in the same order', () => {
  assert.deepEqual(compare('abc', 'abc'), [0, 0, 0, 0, undefined])
  assert.deepEqual(compare('', ''), [0, 0, 0, 0, undefined])
  assert.deepEqual(
    compare('abab', 'abab'),
    [0, 0, 0, 0, undefined],
    'repeats of the source are no duplicates',
  )
})

test('records that are missing, at the end or in between', () => {
  assert.deepEqual(compare('abc', 'ab'), [1, 0, 0, 0, 2])
  assert.deepEqual(compare('abc', 'ac'), [1, 0, 0, 0, 1])
  assert.deepEqual(compare('aab', 'ab'), [1, 0, 0, 0, 1], 'one of two equal records')
})

test('a run that was copied again', () => {
  assert.deepEqual(compare('abcde', 'abcbcde'), [0, 2, 0, 0, 3])
  assert.deepEqual(compare('abc', 'aabc'), [0, 1, 0, 0, 1])
})

test('records out of order, and from elsewhere', () => {
  assert.deepEqual(compare('abcd', 'acbd'), [0, 0, 0, 1, 1])
  assert.deepEqual(compare('abc', 'abxc'), [0, 0, 1, 0, 2])
  assert.deepEqual(compare('abcd', 'bdax'), [1, 0, 1, 1, 0])
})
