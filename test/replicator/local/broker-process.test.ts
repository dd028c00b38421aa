import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { brokerFailure, brokerJvmArguments } from '../../../replicator/local/broker-process.ts'

describe('brokerFailure', () => {
  const cases = [
    ['java.net.BindException: Address already in use', 'port-taken', true],
    ['java.io.IOException: No space left on device', 'disk-full', false],
    ['java.lang.OutOfMemoryError: Java heap space', 'broker-failed', false],
  ] as const
  for (const [log, problem, retriable] of cases) {
    test(`${log} -> ${problem}`, () => {
      const error = brokerFailure(2, 'us-east', `[1] INFO fine\n[2] ERROR ${log}`, ['/logs/broker-2.log'])
      assert.equal(error.problem, problem)
      assert.equal(error.retriable, retriable)
      assert.match(error.message, /Broker 2 of us-east[\s\S]*\/logs\/broker-2\.log/)
    })
  }

  test('anything else: the lines that tell, not the whole log', () => {
    const log = `${'[1] INFO chatter\n'.repeat(500)}[2] ERROR Invalid value -7 for num.partitions\n`
    const error = brokerFailure(1, 'us-east', log, [])
    assert.match(error.message, /num\.partitions/)
    assert.doesNotMatch(error.message, /chatter/)
  })
})

describe('brokerJvmArguments', () => {
  test('quick starts use the class archive and the first compiler only', () => {
    const args = brokerJvmArguments('quick', 350, '/cache/classes.jsa')
    assert.ok(args.includes('-Xmx350m'))
    assert.ok(args.includes('-XX:TieredStopAtLevel=1'))
    assert.ok(args.includes('-XX:SharedArchiveFile=/cache/classes.jsa'))
  })

  test('throughput keeps the optimising compiler', () => {
    const args = brokerJvmArguments('throughput', 2048, undefined)
    assert.equal(args.includes('-XX:TieredStopAtLevel=1'), false)
    assert.equal(
      args.some((arg) => arg.includes('SharedArchiveFile')),
      false,
    )
  })
})
