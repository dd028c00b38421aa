import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { type AclOperation, aclKey, type TopicAcl } from '../../../replicator/kafka/acl-binding.ts'
import type { AclNames } from '../../../replicator/topics/acl-names.ts'
import { type AclPlanInput, planAcls } from '../../../replicator/topics/acl-plan.ts'
import { isAllowed } from './acl-authorizer.ts'

const prefixed: AclNames = {
  topic: (topic) => `us-east.${topic}`,
  prefix: (prefix) => `us-east.${prefix}`,
}
const identity: AclNames = { topic: (topic) => topic, prefix: () => undefined }
const own = (acl: TopicAcl, topic: string) => ({ acl, topic })

describe('every ACL plan', () => {
  const universe = ['a', 'ab', 'abc', 'b', 'ba', 'hidden', 'a-later']
  const principals = ['User:x', 'User:y', 'User:replicator', 'User:*']
  const hosts = ['*', '10.0.0.1', '10.0.0.2']
  const operations: readonly AclOperation[] = [
    'ALL',
    'READ',
    'WRITE',
    'CREATE',
    'DELETE',
    'ALTER',
    'DESCRIBE',
    'DESCRIBE_CONFIGS',
    'ALTER_CONFIGS',
  ]
  const someAcl: fc.Arbitrary<TopicAcl> = fc.record({
    resource: fc.constantFrom('a', 'ab', 'abc', 'b', 'ba', 'hidden', 'h', '*'),
    pattern: fc.constantFrom('literal' as const, 'literal' as const, 'prefixed' as const),
    principal: fc.constantFrom(...principals),
    host: fc.constantFrom(...hosts),
    operation: fc.constantFrom(...operations),
    permission: fc.constantFrom('ALLOW' as const, 'ALLOW' as const, 'DENY' as const),
  })
  const acls = fc.array(someAcl, { maxLength: 12 })
  const naming = fc.constantFrom<AclNames>(
    prefixed,
    identity,
    { topic: (t) => `s-${t}`, prefix: (p) => (p.length > 0 ? `s-${p}` : undefined) },
    { topic: (t) => `${t}.copy`, prefix: () => undefined },
  )
  const input: fc.Arbitrary<AclPlanInput> = fc.record({
    source: acls,
    target: fc.constant([]),
    names: naming,
    takes: fc.constant((topic: string) => topic !== 'hidden'),
    copied: fc.subarray(['a', 'ab', 'b', 'ba']),
    ours: fc.constant([]),
    principals: fc.constant(new Set(['User:replicator'])),
    role: fc.constantFrom('passive' as const, 'active' as const),
  })
  const after = (one: AclPlanInput): readonly TopicAcl[] => {
    const { add, remove } = planAcls(one)
    const removed = new Set(remove.map(aclKey))
    return [...one.target.filter((acl) => !removed.has(aclKey(acl))), ...add.map((o) => o.acl)]
  }

  const remembered = (one: AclPlanInput) => {
    const { add, remove, forget } = planAcls(one)
    const gone = new Set([...remove, ...forget].map(aclKey))
    return [...one.ours.filter((o) => !gone.has(aclKey(o.acl))), ...add]
  }
  const assertNoMore = (one: AclPlanInput, target: readonly TopicAcl[]): void => {
    const copies = new Map(universe.map((topic) => [one.names.topic(topic), topic]))
    for (const name of [...copies.keys(), 'elsewhere', 'us-west.a', 's'])
      for (const principal of ['User:x', 'User:y', 'User:nobody'])
        for (const host of ['10.0.0.1', '10.0.0.2', '10.0.0.3'])
          for (const operation of operations.filter((o) => o !== 'ALL')) {
            if (!isAllowed(target, { principal, host, operation, topic: name })) continue
            const topic = copies.get(name)
            assert.ok(topic !== undefined, `${name} is no copy`)
            assert.ok(isAllowed(one.source, { principal, host, operation, topic }), `${operation} ${name}`)
          }
  }

  test('allows nobody on a copy what the source does not allow, nor anything elsewhere', () => {
    fc.assert(
      fc.property(input, (one) => assertNoMore(one, after(one))),
      { numRuns: 400 },
    )
  })

  test('allows no more after the source, its topics and the selection have changed', () => {
    const changed = fc.record({
      source: acls,
      copied: fc.subarray(['a', 'ab', 'b', 'ba', 'abc']),
      left: fc.subarray(['a', 'ab', 'abc', 'b']),
    })
    fc.assert(
      fc.property(input, changed, (one, { source, copied, left }) => {
        const ours = planAcls(one).add
        const takes = (topic: string): boolean => one.takes(topic) && !left.includes(topic)
        const two = { ...one, source, takes, copied: copied.filter(takes), ours, target: after(one) }
        assertNoMore(two, after(two))
        const again = { ...two, target: after(two), ours: remembered(two) }
        const { add, remove, forget } = planAcls(again)
        assert.deepEqual([add, remove, forget], [[], [], []])
      }),
      { numRuns: 400 },
    )
  })

  test('allows readers of the source to read the copies, unless it says why not', () => {
    fc.assert(
      fc.property(input, (one) => {
        const target = after(one)
        const { notes } = planAcls(one)
        if (notes.some(({ reason }) => reason === 'denied-elsewhere')) return
        for (const topic of one.copied)
          for (const principal of ['User:x', 'User:y']) {
            const access = { principal, host: '10.0.0.1', operation: 'READ' as const }
            assert.equal(
              isAllowed(target, { ...access, topic: one.names.topic(topic) }),
              isAllowed(one.source, { ...access, topic }),
            )
          }
      }),
      { numRuns: 400 },
    )
  })

  test('changes nothing the second time, and everything back when the source has nothing left', () => {
    fc.assert(
      fc.property(input, acls, (one, byHand) => {
        const first = planAcls({ ...one, target: byHand })
        const target = after({ ...one, target: byHand })
        const again = planAcls({ ...one, target, ours: first.add })
        assert.deepEqual([again.add, again.remove, again.forget], [[], [], []])
        const emptied = after({ ...one, source: [], target, ours: first.add })
        assert.deepEqual(new Set(emptied.map(aclKey)), new Set(byHand.map(aclKey)))
      }),
    )
  })

  test('leaves the rules of the replicator as they are, whatever is remembered', () => {
    fc.assert(
      fc.property(input, acls, acls, (one, target, remembered) => {
        const ours = remembered.map((acl) => own(acl, 'a'))
        const { add, remove, forget } = planAcls({ ...one, target, ours })
        for (const { principal } of [...add.map((o) => o.acl), ...remove, ...forget])
          assert.notEqual(principal, 'User:replicator')
        const mine = (list: readonly TopicAcl[]) =>
          new Set(list.filter(({ principal }) => principal === 'User:replicator').map(aclKey))
        assert.deepEqual(mine(after({ ...one, target, ours })), mine(target))
      }),
    )
  })

  test('takes away only what is remembered', () => {
    fc.assert(
      fc.property(input, acls, acls, (one, target, remembered) => {
        const { remove, forget } = planAcls({ ...one, target, ours: remembered.map((acl) => own(acl, 'a')) })
        const known = new Set(remembered.map(aclKey))
        for (const acl of [...remove, ...forget]) assert.ok(known.has(aclKey(acl)))
      }),
    )
  })
})
