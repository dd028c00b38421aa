import assert from 'node:assert/strict'
import { test } from 'node:test'
import { givenBrokers, givenBrokersVariable } from '../../../replicator/local/given-brokers.ts'
import { LocalError } from '../../../replicator/local/local-error.ts'

test('the variable follows the name of the region', () => {
  assert.equal(givenBrokersVariable('us-east.2'), 'CAUSEWAY_LOCAL_BOOTSTRAP_US_EAST_2')
})

test('brokers are read from it', () => {
  const env = { CAUSEWAY_LOCAL_BOOTSTRAP_US_EAST: 'a:1, [::1]:2' }
  assert.deepEqual(givenBrokers('us-east', env), ['a:1', '[::1]:2'])
  assert.equal(givenBrokers('eu-west', env), undefined)
  assert.equal(givenBrokers('us-east', { CAUSEWAY_LOCAL_BOOTSTRAP_US_EAST: ' ' }), undefined)
})

test('what is not host:port is refused by name', () => {
  const env = { CAUSEWAY_LOCAL_BOOTSTRAP_US_EAST: 'a:1,b' }
  assert.throws(
    () => givenBrokers('us-east', env),
    (error: unknown) => error instanceof LocalError && /US_EAST holds "b"/.test(error.message),
  )
})
