import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { runOffsetsTranslate } from '../../../../replicator/cli/run-offsets.ts'

let folder: string
let config: string

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'causeway-offsets-test-'))
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
        { source: 'b', target: 'a', naming: 'prefixed', topics: [{ name: 'orders' }, { name: 'bills' }] },
      ],
    }),
  )
})
after(() => rm(folder, { recursive: true, force: true }))

describe('causeway offsets translate', () => {
  const wrong: readonly (readonly [string, object, RegExp])[] = [
    ['nothing to translate', { positions: [] }, /give positions such as payments\/0@4198, or --group/],
    ['positions beside a group', { group: 'g' }, /give positions or --group/],
    ['a position that is none', { positions: ['orders/0'] }, /orders\/0: write TOPIC\/PARTITION@OFFSET/],
    ['a flow that is not there', { flow: 'a->c' }, /--flow a->c: no such flow; the topology has a->b, b->a/],
    ['a topic that nobody takes', { positions: ['other/0@5'] }, /no flow takes topic "other"/],
    [
      'a topic that the flow does not take',
      { flow: 'a->b', positions: ['bills/0@5'] },
      /no flow a->b takes topic "bills"/,
    ],
    ['a topic that several take', {}, /several flows, a->b, b->a: choose with --flow/],
    [
      'topics that no flow takes together',
      { positions: ['bills/0@5', 'orders.x/0@5'] },
      /ask for each flow by itself/,
    ],
    ['a group of one flow among several', { positions: [], group: 'g' }, /choose with --flow/],
    ['a source name where a copy is asked for', { back: true }, /no flow makes a copy called "orders"/],
  ]
  for (const [what, change, message] of wrong) {
    test(`${what} is a usage error`, async () => {
      const args = { positions: ['orders/0@5'], config, ...change }
      await assert.rejects(runOffsetsTranslate(args), (error: Error & { exitCode?: number }) => {
        assert.match(error.message, message)
        assert.equal(error.exitCode, 2)
        return true
      })
    })
  }
})
