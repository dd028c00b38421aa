import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { aclKey } from '../../../replicator/kafka/acl-binding.ts'
import type { AclMemory } from '../../../replicator/topics/acl-memory.ts'
import type { OwnAcl } from '../../../replicator/topics/acl-plan.ts'
import type { AclSyncParts } from '../../../replicator/topics/acl-sync.ts'
import { acl, copy } from './acl-scene.ts'
import { playing, type Setting } from './played-sync.ts'

/** Remembers in this process. */
function passingMemory(): AclMemory {
  const known = new Map<string, OwnAcl>()
  return {
    read: async () => [...known.values()],
    remember: async (acls) => acls.forEach((own) => void known.set(aclKey(own.acl), own)),
    forget: async (acls) => acls.forEach((one) => void known.delete(aclKey(one))),
    close: async () => {},
  }
}

const parts = (more: Partial<AclSyncParts> = {}): AclSyncParts => ({
  mode: 'sync',
  names: { topic: (topic) => `us-east.${topic}`, prefix: (prefix) => `us-east.${prefix}` },
  role: 'passive',
  principals: { kind: 'known', names: new Set() },
  memory: passingMemory(),
  isOurTurn: () => true,
  ...more,
})

describe('ACLs in the rounds of topic sync', () => {
  const withOrders = ({ source }: Setting) => {
    source.add('orders', 1)
    source.acls.create(acl())
  }

  test('are followed at each interval', () =>
    playing(
      withOrders,
      async ({ source, target, clock, kinds }) => {
        await clock.advance(1000)
        assert.deepEqual(target.acls.all, [copy()])
        source.acls.delete(acl())
        await clock.advance(28_000)
        assert.deepEqual(target.acls.all, [copy()])
        await clock.advance(2000)
        assert.deepEqual(target.acls.all, [])
        assert.deepEqual(
          kinds().filter((kind) => kind.startsWith('acls')),
          ['acls-changed', 'acls-changed'],
        )
      },
      { options: { acls: parts() } },
    ))

  test('are there soon after a new copy', () =>
    playing(
      ({ source }) => {
        source.add('orders', 1)
        source.acls.create(acl({ resource: '*' }))
      },
      async ({ source, target, clock }) => {
        await clock.advance(5000)
        assert.deepEqual(target.acls.all, [copy()])
        source.add('payments', 1)
        await clock.advance(4000)
        assert.deepEqual(target.acls.all, [copy(), copy({ resource: 'payments' })])
      },
      { options: { acls: parts({ names: { topic: (t) => `us-east.${t}`, prefix: () => undefined } }) } },
    ))

  test('are left alone where the flow is not told to follow them', () =>
    playing(withOrders, async ({ source, target, clock }) => {
      await clock.advance(100_000)
      assert.deepEqual(target.acls.all, [])
      assert.ok(!source.calls.includes('describeAcls'))
    }))

  test('are a trouble when a cluster does not answer about them, and hold up nothing', () =>
    playing(
      (setting) => {
        withOrders(setting)
        setting.target.hidesAcls = true
      },
      async ({ source, target, clock, events, last }) => {
        await clock.advance(61_000)
        source.add('later', 1)
        await clock.advance(4000)
        assert.equal(last().pairs.length, 2)
        assert.equal(last().trouble, undefined)
        target.hidesAcls = false
        await clock.advance(30_000)
        assert.deepEqual(target.acls.all, [copy()])
        const looks = events.filter((event) => event.kind.startsWith('look-'))
        assert.deepEqual(
          looks.map((event) => ('what' in event ? `${event.kind} ${event.what}` : event.kind)),
          ['look-failed ACLs', 'look-recovered ACLs'],
        )
      },
      { options: { acls: parts() } },
    ))

  test('are followed soon after the turn comes', () => {
    const turn = { isOurs: false }
    return playing(
      withOrders,
      async ({ target, clock }) => {
        await clock.advance(50_000)
        assert.ok(!target.calls.includes('describeAcls'))
        turn.isOurs = true
        await clock.advance(1000)
        assert.deepEqual(target.acls.all, [copy()])
      },
      { options: { acls: parts({ isOurTurn: () => turn.isOurs }) } },
    )
  })
})
