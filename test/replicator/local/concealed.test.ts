import assert from 'node:assert/strict'
import { test } from 'node:test'
import { format } from 'node:util'
import { conceal } from '../../../replicator/local/concealed.ts'

test('a concealed password shows itself to reveal() only', () => {
  const password = conceal('hunter2')
  assert.equal(password.reveal(), 'hunter2')
  for (const text of [
    `${password}`,
    JSON.stringify({ password }),
    format('%o %s %j', password, password, password),
  ]) {
    assert.doesNotMatch(text, /hunter2/)
  }
})
