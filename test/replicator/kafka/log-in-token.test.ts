import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { KafkaError, transportError } from '../../../replicator/kafka/errors.ts'
import { askToken } from '../../../replicator/kafka/log-in-token.ts'
import { regionAlias } from '../../../replicator/topology/identifiers.ts'

const place = { cluster: regionAlias('us-east'), during: 'logging in' }

describe('asking for a token', () => {
  test('gives what is given', async () => {
    assert.equal(await askToken(async () => 'token', place), 'token')
  })

  test('whoever cannot give one may be able to later, and is told with the reason', async () => {
    const cause = new Error('no metadata service')
    await assert.rejects(
      askToken(() => Promise.reject(cause), place),
      (error) => {
        assert(error instanceof KafkaError)
        assert.deepEqual([error.kind, error.retriable, error.cluster], ['token', true, 'us-east'])
        assert.match(error.message, /no metadata service/)
        assert.equal(error.cause, cause)
        return true
      },
    )
  })

  test('an error that says what to do already stays what it is', async () => {
    const told = transportError('authentication', 'refused')
    await assert.rejects(
      askToken(() => Promise.reject(told), place),
      (error) => error === told,
    )
  })
})
