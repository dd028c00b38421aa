import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { aclKey, type TopicAcl } from '../../../replicator/kafka/acl-binding.ts'
import type { Cluster } from '../../../replicator/kafka/cluster.ts'
import { KafkaError } from '../../../replicator/kafka/errors.ts'
import type { AclMemory } from '../../../replicator/topics/acl-memory.ts'
import type { OwnAcl } from '../../../replicator/topics/acl-plan.ts'
import {
  decodeAclKey,
  decodeAclValue,
  encodeAclKey,
  encodeAclValue,
} from '../../../replicator/topics/acl-record.ts'
import { aclWords } from '../../../replicator/topics/acl-words.ts'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import { isAllowed } from './acl-authorizer.ts'
import { acl, aclScene, copy, memoryTopic } from './acl-scene.ts'

const byHand = copy({ principal: 'User:by-hand' })
const words = (...acls: readonly TopicAcl[]) => acls.map(aclWords).sort()

describe('ACL sync', () => {
  test('carries over what is new, leaves what is there, takes back what it made', async () => {
    const { source, target, started, onTarget, events, remembered } = aclScene()
    const { pass } = started()
    const bob = { principal: 'User:bob' }
    for (const one of [acl(), acl(bob)]) source.acls.create(one)
    for (const one of [byHand, copy(bob)]) target.acls.create(one)
    await pass()
    assert.deepEqual(onTarget(), words(byHand, copy(bob), copy()))
    await pass()
    for (const one of [acl(), acl(bob)]) source.acls.delete(one)
    await pass()
    assert.deepEqual(onTarget(), words(byHand, copy(bob)))
    assert.deepEqual(events, [
      { kind: 'acls-changed', added: [copy()], removed: [] },
      { kind: 'acls-changed', added: [], removed: [copy()] },
    ])
    assert.deepEqual(await remembered(), [])
  })

  test('a later process knows what an earlier one made', async () => {
    const { source, started, onTarget } = aclScene()
    source.acls.create(acl())
    await started().pass()
    source.acls.delete(acl())
    await started().pass()
    assert.deepEqual(onTarget(), [])
  })

  test('a rule whose making was never heard of is one of ours', async () => {
    const { source, started, onTarget, faults } = aclScene()
    source.acls.create(acl())
    faults.set('create-acls', { lose: 'answer' })
    await assert.rejects(started().pass(), KafkaError)
    assert.deepEqual(onTarget(), words(copy()))
    source.acls.delete(acl())
    await started().pass()
    assert.deepEqual(onTarget(), [])
  })

  test('a rule whose taking back was never heard of is forgotten in the end', async () => {
    const { source, started, onTarget, faults, remembered } = aclScene()
    source.acls.create(acl())
    await started().pass()
    source.acls.delete(acl())
    faults.set('delete-acls', { lose: 'answer' })
    await assert.rejects(started().pass(), KafkaError)
    assert.deepEqual([onTarget(), await remembered()], [[], words(copy())])
    await started().pass()
    assert.deepEqual(await remembered(), [])
  })

  test('a rule that the target refuses is not ours when somebody makes it later', async () => {
    const { source, target, started, onTarget, events } = aclScene()
    source.acls.create(acl())
    target.acls.unmakeable.set(aclKey(copy()), 44)
    const { pass } = started()
    await pass()
    await pass()
    assert.deepEqual(
      events.map(({ kind }) => kind),
      ['acls-refused'],
    )
    target.acls.unmakeable.clear()
    target.acls.create(copy())
    source.acls.delete(acl())
    await pass()
    assert.deepEqual(onTarget(), words(copy()))
  })

  test('what cannot be denied is not allowed', async () => {
    const { source, target, started, onTarget } = aclScene()
    const deny = { permission: 'DENY', host: '10.0.0.1' } as const
    for (const one of [acl(), acl(deny), acl({ resource: 'payments' })]) source.acls.create(one)
    target.acls.unmakeable.set(aclKey(copy(deny)), 44)
    const { pass } = started()
    await pass()
    assert.deepEqual(onTarget(), words(copy({ resource: 'payments' })))
    target.acls.unmakeable.clear()
    await pass()
    assert.deepEqual(onTarget(), words(copy(), copy(deny), copy({ resource: 'payments' })))
  })

  test('a report changes nothing, and says what would be changed once', async () => {
    const { source, target, started, onTarget, events } = aclScene()
    for (const one of [acl(), acl({ operation: 'WRITE' })]) source.acls.create(one)
    target.acls.create(byHand)
    const { pass } = started({ mode: 'report' })
    await pass()
    await pass()
    assert.deepEqual(onTarget(), words(byHand))
    assert.equal(target.topics.byName(memoryTopic), undefined)
    assert.deepEqual(events, [
      { kind: 'acls-not-carried', notes: [{ acl: acl({ operation: 'WRITE' }), reason: 'withheld' }] },
      { kind: 'acls-would-change', added: [copy()], removed: [] },
    ])
  })

  test('what is not carried over is told once while it stands', async () => {
    const { source, started, kinds } = aclScene()
    const { pass } = started()
    const write = acl({ operation: 'WRITE' })
    source.acls.create(write)
    await pass()
    await pass()
    assert.deepEqual(kinds(), ['acls-not-carried'])
    source.acls.delete(write)
    await pass()
    source.acls.create(write)
    await pass()
    assert.deepEqual(kinds(), ['acls-not-carried', 'acls-not-carried'])
  })

  for (const [side, code, remedy] of [
    ['source', 54, /mode: off .*us-east an authorizer/],
    ['target', 54, /mode: off .*eu-west an authorizer/],
    ['source', 31, /DESCRIBE on the cluster resource of us-east/],
    ['target', 31, /DESCRIBE on the cluster resource of eu-west/],
  ] as const)
    test(`code ${code} of the ${side} is told once and changes nothing`, async () => {
      const { source, target, started, onTarget, events } = aclScene()
      const { pass } = started()
      source.acls.create(acl())
      await pass()
      const refusing = side === 'source' ? source : target
      refusing.acls.refusal = code
      await pass()
      await pass()
      assert.deepEqual(onTarget(), words(copy()))
      const [, refused, ...others] = events
      assert.ok(refused?.kind === 'acls-refused')
      assert.match(refused.wayOut, remedy)
      assert.deepEqual(others, [])
    })

  test('being allowed to look but not to change is told', async () => {
    const { source, target, started, events } = aclScene()
    source.acls.create(acl())
    target.acls.unmakeable.set(aclKey(copy()), 31)
    await started().pass()
    const [refused] = events
    assert.ok(refused?.kind === 'acls-refused')
    assert.match(refused.wayOut, /ALTER on the cluster resource of eu-west, or .* report/)
  })

  test('without knowing who the replicator is nothing is changed', async () => {
    const { source, started, onTarget, events } = aclScene()
    source.acls.create(acl())
    const { pass } = started({ principals: { kind: 'unknown', cluster: regionAlias('eu-west') } })
    await pass()
    await pass()
    assert.deepEqual(onTarget(), [])
    assert.equal(events.length, 1)
    assert.match(JSON.stringify(events[0]), /aclSync\.principals/)
  })

  test('a replica whose turn it is not asks nothing', async () => {
    const { source, started, onRequest, events } = aclScene()
    source.acls.create(acl())
    onRequest.listener = (kind) => assert.fail(kind)
    await started({ isOurTurn: () => false }).pass()
    assert.deepEqual(events, [])
  })

  test('a rule that another replica forgot while it was made is remembered again', async () => {
    const { source, target, started, clock, memory: open, signal } = aclScene()
    const memory = open()
    const forgetful = {
      describeAcls: async () => ({ ok: true, value: target.acls.all }),
      async createAcls(acls: readonly TopicAcl[]) {
        await memory.forget(acls, signal)
        return acls.map((one) => target.acls.create(one))
      },
      deleteAcls: async () => assert.fail('nothing is to be deleted'),
    } as unknown as Pick<Cluster, 'describeAcls' | 'createAcls' | 'deleteAcls'>
    source.acls.create(acl())
    await started({ memory, target: forgetful }).pass()
    const own = await clock.run(open().read(signal), 600_000)
    assert.deepEqual(words(...own.map((one) => one.acl)), words(copy()))
  })

  test('at no moment is more allowed than before or after', async () => {
    const one = fc.record<TopicAcl>({
      resource: fc.constantFrom('orders', 'payments', 'pay', '*'),
      pattern: fc.constantFrom('literal', 'prefixed'),
      principal: fc.constantFrom('User:x', 'User:*'),
      host: fc.constantFrom('*', '10.0.0.1'),
      operation: fc.constantFrom('READ', 'DELETE', 'ALL', 'DESCRIBE'),
      permission: fc.constantFrom('ALLOW', 'DENY'),
    })
    const acls = fc.array(one, { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(acls, acls, async (before, after) => {
        const { source, target, started, onRequest } = aclScene()
        const { pass } = started()
        for (const acl of before) source.acls.create(acl)
        await pass()
        onRequest.listener = () => {
          for (const topic of ['orders', 'payments', 'payroll'])
            for (const host of ['10.0.0.1', '10.0.0.2'])
              for (const operation of ['READ', 'DESCRIBE'] as const) {
                const access = { principal: 'User:x', host, operation }
                if (!isAllowed(target.acls.all, { ...access, topic: `us-east.${topic}` })) continue
                assert.ok([before, after].some((acls) => isAllowed(acls, { ...access, topic })))
              }
        }
        for (const acl of before) source.acls.delete(acl)
        for (const acl of after) source.acls.create(acl)
        await pass()
        onRequest.listener('list-topics')
      }),
      { numRuns: 150 },
    )
  })
})

describe('the memory of ACLs', () => {
  const flow = flowId(regionAlias('us-east'), regionAlias('eu-west'))

  test('its records come back as they were written', () => {
    const own: OwnAcl = { acl: copy({ pattern: 'prefixed', host: '::1' }), topic: 'orders' }
    assert.deepEqual(decodeAclKey(encodeAclKey(flow, own.acl)), { flow, acl: own.acl })
    assert.equal(decodeAclValue(encodeAclValue(own)), 'orders')
    assert.equal(decodeAclValue(encodeAclValue({ ...own, topic: undefined })), undefined)
  })

  test('equal rules have equal keys, whatever order they were put together in', () => {
    const { resource, ...rest } = copy()
    assert.deepEqual(encodeAclKey(flow, { ...rest, resource }), encodeAclKey(flow, { resource, ...rest }))
  })

  test('records of other versions are not understood', () => {
    assert.throws(() => decodeAclKey(Buffer.from(JSON.stringify({ v: 2, flow }))))
    assert.throws(() => decodeAclValue(Buffer.from(JSON.stringify({ v: 2 }))))
  })

  test('what it cannot understand is a trouble, not the end of the flow', async () => {
    const { source, target, started, onTarget, clock, append } = aclScene()
    source.acls.create(acl())
    const { pass } = started()
    await pass()
    append('{"v":2}', '{}')
    source.acls.delete(acl())
    await assert.rejects(pass(), (error) => error instanceof KafkaError && error.kind === 'malformed')
    assert.deepEqual(onTarget(), words(copy()))
    assert.equal(clock.waiting, 0)
    assert.notEqual(target.topics.byName(memoryTopic), undefined)
  })

  test('is as long as it has to be, and of one flow', async () => {
    const { clock, memory: open, signal, target } = aclScene()
    const many = Array.from({ length: 700 }, (_, n) => ({
      acl: copy({ principal: `User:${n}` }),
      topic: 'orders',
    }))
    const run = <T>(work: Promise<T>) => clock.run(work, 600_000)
    const memory: AclMemory = open()
    const others = open(flowId(regionAlias('asia'), regionAlias('eu-west')))
    await run(others.remember(many, signal))
    assert.deepEqual(await run(memory.read(signal)), [])
    await run(memory.remember(many, signal))
    assert.equal((await run(open().read(signal))).length, 700)
    await run(
      memory.forget(
        many.slice(1).map((own) => own.acl),
        signal,
      ),
    )
    assert.deepEqual(await run(memory.read(signal)), many.slice(0, 1))
    // Another topic of the same name, longer than what was read of the first one.
    target.deleteTopic(memoryTopic)
    await run(open().remember(many.slice(0, 350), signal))
    for (const list of [many, many, many]) await run(others.remember(list, signal))
    assert.equal((await run(memory.read(signal))).length, 350)
    target.deleteTopic(memoryTopic)
    assert.deepEqual(await run(memory.read(signal)), [])
    await run(memory.remember(many.slice(5, 6), signal))
    assert.deepEqual(await run(memory.read(signal)), many.slice(5, 6))
  })
})
