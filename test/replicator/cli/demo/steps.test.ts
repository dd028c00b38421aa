import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { bar, openSteps } from '../../../../replicator/cli/demo/steps.ts'
import type { Output } from '../../../../replicator/cli/output.ts'

function recordingOutput(interactive: boolean): Output & { readonly shown: string[] } {
  const shown: string[] = []
  return {
    shown,
    interactive,
    line: (text) => shown.push(text),
    note: (text) => shown.push(text),
    json: () => assert.fail('not asked for'),
    styled: (_, text) => text,
    styledNote: (_, text) => text,
    status: (text) => shown.push(`status ${text}`.trimEnd()),
  }
}

describe('the display of steps', () => {
  test('elsewhere than on a terminal: one line per step, with its time and detail', () => {
    const output = recordingOutput(false)
    const steps = openSteps(output, () => 80)
    const step = steps.begin('Starting')
    step.update('Starting, still')
    step.done('Started', 'two brokers')
    steps.close()
    const lines = output.shown.filter((line) => line !== 'status')
    assert.equal(lines.length, 1)
    assert.match(lines[0] ?? '', /^ {2}ok {2}Started +\d+\.\d s {3}two brokers$/)
    assert.deepEqual(
      steps.times.map(({ step: name }) => name),
      ['Started'],
    )
  })

  test('on a terminal: a line redrawn, never wider than the terminal, and cleared before what stays', () => {
    const output = recordingOutput(true)
    const steps = openSteps(output, () => 20)
    const step = steps.begin('Starting a great many brokers')
    step.done('Started')
    steps.close()
    const drawn = output.shown.find((line) => line.startsWith('status ') && line !== 'status') ?? ''
    assert.ok(drawn.includes('Starting a'))
    assert.ok(drawn.length <= 'status '.length + 19)
    assert.match(output.shown.filter((line) => line !== 'status').at(-1) ?? '', /✓ {3}Started/)
    assert.equal(output.shown[output.shown.findIndex((line) => line.includes('✓')) - 1], 'status')
  })
})

test('the bar fills from empty to full, and no further', () => {
  assert.equal(bar(0, 4), '╌╌╌╌')
  assert.equal(bar(0.5, 4), '━━╌╌')
  assert.equal(bar(7, 4), '━━━━')
})
