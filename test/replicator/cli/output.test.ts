import assert from 'node:assert/strict'
import { PassThrough } from 'node:stream'
import { describe, test } from 'node:test'
import { alignColumns, openOutput } from '../../../replicator/cli/output.ts'

/** Streams that remember; `isTTY` as given. */
function capture(isTTY: boolean) {
  const make = () => Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY })
  const stdout = make()
  const stderr = make()
  const output = openOutput({
    stdout: stdout as unknown as NodeJS.WriteStream,
    stderr: stderr as unknown as NodeJS.WriteStream,
  })
  return { output, stdout: () => String(stdout.read() ?? ''), stderr: () => String(stderr.read() ?? '') }
}

describe('output', () => {
  test('answers go to stdout, notes to stderr', () => {
    const { output, stdout, stderr } = capture(false)
    output.line('answer')
    output.note('working')
    output.json({ a: 1 })
    assert.equal(stdout(), 'answer\n{\n  "a": 1\n}\n')
    assert.equal(stderr(), 'working\n')
  })

  test('nothing is redrawn or coloured where there is no terminal', () => {
    const { output, stderr } = capture(false)
    output.status('50 %')
    assert.equal(stderr(), '')
    assert.equal(output.styled('red', 'text'), 'text')
  })

  test('on a terminal the status line gives way to the next line', () => {
    const { output, stderr } = capture(true)
    output.status('50 %')
    output.note('done')
    assert.equal(stderr(), '50 %\r\u001b[2Kdone\n')
  })
})

test('alignColumns makes columns as wide as their widest cell', () => {
  assert.deepEqual(
    alignColumns([
      ['a', 'bb', 'c'],
      ['aaa', 'b'],
    ]),
    ['a    bb  c', 'aaa  b'],
  )
})
