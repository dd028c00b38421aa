import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { runFlowResume } from '../../../../replicator/cli/run-flow-resume.ts'

let folder: string
let config: string

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-flow-test-'))
  config = join(folder, 'causeway.yaml')
  await writeFile(
    config,
    JSON.stringify({
      name: 'test',
      pattern: 'custom',
      // Nothing listens there: what is wrong must be said before anybody is asked.
      regions: {
        a: { role: 'peer', bootstrap: '127.0.0.1:1' },
        b: { role: 'peer', bootstrap: '127.0.0.1:1' },
      },
      topics: [{ match: 'orders.*' }],
      flows: [
        { source: 'a', target: 'b', naming: 'prefixed' },
        { source: 'b', target: 'a', naming: 'prefixed' },
      ],
    }),
  )
})
after(() => rm(folder, { recursive: true, force: true }))

describe('causeway flow resume', () => {
  const wrong: readonly (readonly [string, object, RegExp])[] = [
    ['a place that is none', { place: 'orders/x' }, /orders\/x: write TOPIC or TOPIC\/PARTITION/],
    ['a time without a zone', { from: '2026-05-01T12:00:00' }, /--from .*with its zone/],
    ['a flow that is not there', { flow: 'a->c' }, /no such flow; the topology has a->b, b->a/],
    ['a topic that nobody takes', { place: 'other' }, /no flow takes topic "other"/],
    ['a topic that several take', {}, /"orders" is taken by a->b, b->a: choose with --flow/],
  ]
  for (const [what, change, message] of wrong) {
    test(`${what} is a usage error`, async () => {
      const args = { place: 'orders', config, from: 'earliest', ...change }
      await assert.rejects(runFlowResume(args), (error: Error & { exitCode?: number }) => {
        assert.match(error.message, message)
        assert.equal(error.exitCode, 2)
        return true
      })
    })
  }
})
