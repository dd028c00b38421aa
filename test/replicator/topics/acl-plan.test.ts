import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { AclOperation, TopicAcl } from '../../../replicator/kafka/acl-binding.ts'
import { type AclNames, aclNames } from '../../../replicator/topics/acl-names.ts'
import { type AclPlanInput, planAcls } from '../../../replicator/topics/acl-plan.ts'
import { aclWords } from '../../../replicator/topics/acl-words.ts'

const prefixed: AclNames = {
  topic: (topic) => `us-east.${topic}`,
  prefix: (prefix) => `us-east.${prefix}`,
}
const identity: AclNames = { topic: (topic) => topic, prefix: () => undefined }

function acl(words: Partial<TopicAcl> = {}): TopicAcl {
  return {
    resource: 'orders',
    pattern: 'literal',
    principal: 'User:alice',
    host: '*',
    operation: 'READ',
    permission: 'ALLOW',
    ...words,
  }
}

function plan(source: readonly TopicAcl[], more: Partial<AclPlanInput> = {}) {
  const made = planAcls({
    source,
    target: [],
    names: prefixed,
    takes: (topic) => topic !== 'private',
    copied: ['orders', 'payments'],
    ours: [],
    principals: new Set(['User:replicator']),
    role: 'passive',
    ...more,
  })
  return {
    add: made.add.map((own) => aclWords(own.acl)),
    remove: made.remove.map(aclWords),
    forget: made.forget.map(aclWords),
    notes: made.notes.map((note) => `${note.reason}: ${aclWords(note.acl)}`),
    made,
  }
}

const own = (one: TopicAcl, topic?: string) => ({ acl: one, topic })
const onTarget = (words: Partial<TopicAcl> = {}) => acl({ resource: 'us-east.orders', ...words })

describe('an ACL plan', () => {
  test('renames what a rule is about, and keeps the rest', () => {
    const { add, notes } = plan([acl({ host: '10.0.0.1' }), acl({ permission: 'DENY', operation: 'ALL' })])
    assert.deepEqual(add, [
      'ALLOW READ to User:alice from 10.0.0.1 on topic us-east.orders',
      'DENY ALL to User:alice on topic us-east.orders',
    ])
    assert.deepEqual(notes, [])
  })

  test('leaves topics alone that the flow does not take', () => {
    assert.deepEqual(
      plan([acl({ resource: 'private' }), acl({ resource: 'priv', pattern: 'prefixed' })]).add,
      [],
    )
  })

  test('a rule about a topic that is still to come is there before it', () => {
    assert.equal(plan([acl({ resource: 'soon' })]).add.length, 1)
  })

  describe('on passive copies', () => {
    const withheld: readonly AclOperation[] = ['WRITE', 'CREATE', 'DELETE', 'ALTER', 'ALTER_CONFIGS']
    for (const operation of withheld)
      test(`${operation} is withheld, and denied where it was denied`, () => {
        const { add, notes } = plan([acl({ operation }), acl({ operation, permission: 'DENY' })])
        assert.deepEqual(add, [`DENY ${operation} to User:alice on topic us-east.orders`])
        assert.deepEqual(notes, [`withheld: ALLOW ${operation} to User:alice on topic orders`])
      })

    test('ALL becomes what readers need', () => {
      const { add, notes } = plan([acl({ operation: 'ALL' })])
      assert.deepEqual(
        add,
        ['READ', 'DESCRIBE', 'DESCRIBE_CONFIGS'].map(
          (o) => `ALLOW ${o} to User:alice on topic us-east.orders`,
        ),
      )
      assert.deepEqual(notes, ['narrowed: ALLOW ALL to User:alice on topic orders'])
    })
  })

  test('where the target has clients of its own, everything comes along', () => {
    const { add, notes } = plan([acl({ operation: 'WRITE' }), acl({ operation: 'ALL' })], { role: 'active' })
    assert.deepEqual(add, [
      'ALLOW WRITE to User:alice on topic us-east.orders',
      'ALLOW ALL to User:alice on topic us-east.orders',
    ])
    assert.deepEqual(notes, [])
  })

  describe('patterns', () => {
    const pay = acl({ resource: 'pay', pattern: 'prefixed' })
    const all = acl({ resource: '*' })

    test('are renamed where the naming makes that exact', () => {
      const { add, notes } = plan([pay, all])
      assert.deepEqual(add, [
        'ALLOW READ to User:alice on topics beginning with us-east.pay',
        'ALLOW READ to User:alice on topics beginning with us-east.',
      ])
      assert.deepEqual(notes, [])
    })

    test('are expanded elsewhere, and that is told', () => {
      const { add, notes } = plan([pay, all], { names: identity })
      assert.deepEqual(add, [
        'ALLOW READ to User:alice on topic payments',
        'ALLOW READ to User:alice on topic orders',
      ])
      assert.deepEqual(notes, [
        'expanded: ALLOW READ to User:alice on topics beginning with pay',
        'expanded: ALLOW READ to User:alice on all topics',
      ])
    })

    test('are expanded when a pattern that denies part of them is', () => {
      const names: AclNames = { ...prefixed, prefix: (p) => (p === '' ? undefined : `us-east.${p}`) }
      const { add } = plan([pay, acl({ resource: '*', permission: 'DENY', host: '10.0.0.1' })], { names })
      assert.deepEqual(add, [
        'ALLOW READ to User:alice on topic us-east.payments',
        'DENY READ to User:alice from 10.0.0.1 on topic us-east.orders',
        'DENY READ to User:alice from 10.0.0.1 on topic us-east.payments',
      ])
    })

    test('take with them what denies topics that they would allow later', () => {
      const { add } = plan([pay, acl({ resource: 'payroll', permission: 'DENY' })], {
        takes: (topic) => topic === 'payments',
      })
      assert.deepEqual(add, [
        'ALLOW READ to User:alice on topics beginning with us-east.pay',
        'DENY READ to User:alice on topic us-east.payroll',
      ])
    })
  })

  describe('the replicator', () => {
    test('keeps its own rules on both sides', () => {
      const replicators = acl({ principal: 'User:replicator', permission: 'DENY', operation: 'ALL' })
      const { add, remove, forget, notes } = plan([replicators], {
        target: [onTarget({ principal: 'User:replicator', operation: 'WRITE' })],
        ours: [own(onTarget({ principal: 'User:replicator', operation: 'WRITE' }), 'orders')],
      })
      assert.deepEqual([add, remove, forget], [[], [], []])
      assert.deepEqual(notes, ['own-principal: DENY ALL to User:replicator on topic orders'])
    })

    test('is not denied with everybody; and then nobody is allowed what is denied', () => {
      const { add, notes } = plan([
        acl({ principal: 'User:*', permission: 'DENY', host: '10.0.0.1' }),
        acl(),
        acl({ host: '10.0.0.2' }),
        acl({ operation: 'DESCRIBE' }),
      ])
      assert.deepEqual(add, [
        'ALLOW READ to User:alice from 10.0.0.2 on topic us-east.orders',
        'ALLOW DESCRIBE to User:alice on topic us-east.orders',
      ])
      assert.deepEqual(notes, [
        'denied-elsewhere: ALLOW READ to User:alice on topic orders',
        'denies-replicator: DENY READ to User:* from 10.0.0.1 on topic orders',
      ])
    })

    test('does not mind that nobody may delete its copies', () => {
      const { add } = plan([acl({ principal: 'User:*', permission: 'DENY', operation: 'DELETE' })])
      assert.deepEqual(add, ['DENY DELETE to User:* on topic us-east.orders'])
    })
  })

  describe('takes away', () => {
    test('what the flow made, once the source has it no longer', () => {
      const { add, remove, forget } = plan([], {
        target: [onTarget(), onTarget({ principal: 'User:by-hand' })],
        ours: [own(onTarget(), 'orders'), own(onTarget({ principal: 'User:gone' }), 'orders')],
      })
      assert.deepEqual(add, [])
      assert.deepEqual(remove, ['ALLOW READ to User:alice on topic us-east.orders'])
      assert.deepEqual(forget, ['ALLOW READ to User:gone on topic us-east.orders'])
    })

    test('nothing for a topic that is gone while the source has the rule', () => {
      const { remove, forget } = plan([acl({ resource: '*' })], {
        copied: ['payments'],
        names: identity,
        target: [acl()],
        ours: [own(acl(), 'orders')],
      })
      assert.deepEqual([remove, forget], [[], []])
      const pattern = { resource: 'or', pattern: 'prefixed' } as const
      const made = onTarget({ ...pattern, resource: 'us-east.or' })
      const more = { copied: ['payments'], target: [made], ours: [own(made)] }
      assert.deepEqual(plan([acl(pattern)], more).remove, [])
      assert.equal(plan([], more).remove.length, 1)
    })

    test('nothing for a topic that the flow has stopped taking, and adds nothing to it', () => {
      const more = { takes: () => false, copied: [], target: [onTarget()], ours: [own(onTarget(), 'orders')] }
      const { add, remove } = plan([acl(), acl({ principal: 'User:bob' })], more)
      assert.deepEqual([add, remove], [[], []])
      assert.equal(plan([], more).remove.length, 1)
      const denied = plan([acl(), acl({ permission: 'DENY', host: '10.0.0.1' })], more)
      assert.deepEqual(denied.add, ['DENY READ to User:alice from 10.0.0.1 on topic us-east.orders'])
    })
  })

  test('makes again what somebody took from the target', () => {
    assert.equal(plan([acl()], { ours: [own(onTarget(), 'orders')] }).add.length, 1)
  })

  test('an operation of a later version is told, and left', () => {
    const { add, notes } = plan([acl({ operation: 'UNKNOWN', permission: 'DENY' })])
    assert.deepEqual(add, [])
    assert.deepEqual(notes, ['unknown-operation: DENY UNKNOWN to User:alice on topic orders'])
  })
})

describe('the names in ACLs', () => {
  const flow = (source: string, target: string, naming: object) =>
    ({ id: `${source}->${target}`, source, target, naming }) as never
  const dotted = { kind: 'prefixed', separator: '.' }

  test('prefixes are exact under a prefix of the flow alone', () => {
    const one = flow('us-east', 'eu', dotted)
    const names = aclNames({ flows: [one, flow('asia', 'eu', dotted), flow('us-east', 'asia', dotted)] }, one)
    assert.equal(names.topic('orders'), 'us-east.orders')
    assert.equal(names.prefix('or'), 'us-east.or')
    assert.equal(names.prefix(''), 'us-east.')
  })

  test('prefixes are not exact where other flows make names that begin alike', () => {
    const dashed = { kind: 'prefixed', separator: '-' }
    const us = flow('us', 'eu', dashed)
    const east = flow('us-east', 'eu', dashed)
    const names = aclNames({ flows: [us, east] }, us)
    assert.equal(names.prefix(''), undefined)
    assert.equal(names.prefix('east-or'), undefined)
    assert.equal(names.prefix('or'), 'us-or')
    assert.equal(aclNames({ flows: [us, east] }, east).prefix('or'), undefined)
    assert.equal(
      aclNames({ flows: [us, flow('asia', 'eu', { kind: 'identity' })] }, us).prefix('or'),
      undefined,
    )
  })

  test('names that stay, and names with an ending, have no exact prefix', () => {
    const same = flow('us', 'eu', { kind: 'identity' })
    assert.equal(aclNames({ flows: [same] }, same).prefix('or'), undefined)
    const ending = flow('us', 'eu', { kind: 'template', template: '{source}.{topic}.copy' })
    assert.equal(aclNames({ flows: [ending] }, ending).prefix('or'), undefined)
    assert.equal(aclNames({ flows: [ending] }, ending).topic('or'), 'us.or.copy')
  })
})
