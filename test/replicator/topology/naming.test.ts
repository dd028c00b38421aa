import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { flowId, regionAlias } from '../../../replicator/topology/identifiers.ts'
import type { Naming } from '../../../replicator/topology/model.ts'
import {
  formatNaming,
  isCycle,
  originOf,
  parseNaming,
  targetTopicName,
  topicNameProblem,
  topicNamesCollide,
} from '../../../replicator/topology/naming.ts'
import { alias, topicName } from './specs.ts'

const [east, west, asia] = ['us-east', 'eu-west', 'asia'].map(regionAlias) as [
  ReturnType<typeof regionAlias>,
  ReturnType<typeof regionAlias>,
  ReturnType<typeof regionAlias>,
]
const aliases = [east, west, asia]
const prefixed: Naming = { kind: 'prefixed', separator: '.' }
const suffixed: Naming = { kind: 'template', template: '{topic}.from.{source}' }
const routed: Naming = { kind: 'template', template: '{source}.{target}.{topic}' }

describe('names of copies', () => {
  test('by kind', () => {
    const copy = { source: east, target: west, topic: 'orders' }
    assert.equal(targetTopicName(prefixed, copy), 'us-east.orders')
    assert.equal(targetTopicName({ kind: 'identity' }, copy), 'orders')
    assert.equal(targetTopicName(suffixed, copy), 'orders.from.us-east')
    assert.equal(targetTopicName(routed, copy), 'us-east.eu-west.orders')
  })

  test('the origin of every copy is found again, where names tell it', () => {
    const naming = fc.constantFrom(prefixed, suffixed, routed)
    const ends = fc.uniqueArray(fc.constantFrom(...aliases), { minLength: 2, maxLength: 2 })
    const plain = topicName.filter((name) => !/^(us-east|eu-west|asia)\.|\.from\./.test(name))
    fc.assert(
      fc.property(naming, ends, plain, (kind, [source = east, target = west], topic) => {
        const name = targetTopicName(kind, { source, target, topic })
        assert.deepEqual(originOf(kind, name, { aliases, at: target }), { kind: 'copy', source, topic })
        assert.deepEqual(originOf(kind, topic, { aliases, at: target }), { kind: 'local' })
      }),
    )
  })

  test('what a name cannot tell is said', () => {
    const at = { aliases, at: west }
    assert.deepEqual(originOf({ kind: 'identity' }, 'orders', at), {
      kind: 'unknown',
      reason: 'naming-hides-source',
    })
    const copies: Naming = { kind: 'template', template: 'copy.{topic}' }
    assert.deepEqual(originOf(copies, 'copy.x', at), { kind: 'unknown', reason: 'naming-hides-source' })
    const dashed: Naming = { kind: 'prefixed', separator: '-' }
    const two = { aliases: [regionAlias('us'), regionAlias('us-east')], at: west }
    assert.deepEqual(originOf(dashed, 'us-east-orders', two), { kind: 'unknown', reason: 'ambiguous' })
  })

  test('texts and namings are inverses', () => {
    for (const text of [
      'identity',
      'prefixed',
      '{source}-{topic}',
      '{topic}.from.{source}',
      'x.{target}.{topic}',
    ]) {
      const parsed = parseNaming(text)
      assert.ok(parsed.ok)
      assert.equal(formatNaming(parsed.naming), text)
    }
    assert.deepEqual(parseNaming('{source}.{topic}'), parseNaming('prefixed'))
    assert.deepEqual(parseNaming('{topic}'), parseNaming('identity'))
  })
})

describe('cycles', () => {
  test('a topic never goes back to a region that it passed, at any depth', () => {
    const hops = fc.array(fc.constantFrom(...aliases), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(fc.constantFrom(prefixed, suffixed), hops, (naming, passed) => {
        const name = passed.reduce(
          (topic, source) => targetTopicName(naming, { source, target: west, topic }),
          'orders',
        )
        for (const target of aliases) {
          assert.equal(
            isCycle(naming, name, { aliases, target }),
            passed.includes(target),
            `${name} to ${target}`,
          )
        }
      }),
    )
  })

  test('through templates that name their target', () => {
    assert.equal(isCycle(routed, 'us-east.eu-west.orders', { aliases, target: east }), true)
    assert.equal(isCycle(routed, 'us-east.eu-west.orders', { aliases, target: asia }), false)
    const twice = targetTopicName(routed, { source: west, target: asia, topic: 'us-east.eu-west.orders' })
    assert.equal(isCycle(routed, twice, { aliases, target: east }), true)
  })

  test('names that only look alike, and identity, are none', () => {
    assert.equal(isCycle(prefixed, 'us-eastern.orders', { aliases, target: east }), false)
    assert.equal(isCycle(prefixed, 'us-east', { aliases, target: east }), false)
    assert.equal(isCycle({ kind: 'identity' }, 'us-east.orders', { aliases, target: east }), false)
  })
})

describe("Kafka's rules", () => {
  test('for topic names', () => {
    for (const name of ['', '.', '..', 'a b', 'ä', 'a/b', 'x'.repeat(250)])
      assert.ok(topicNameProblem(name), name)
    for (const name of ['a', '...', 'A_b-c.9', 'x'.repeat(249)])
      assert.equal(topicNameProblem(name), undefined)
  })

  test('for names that share one metric name', () => {
    assert.equal(topicNamesCollide('a.b', 'a_b'), true)
    assert.equal(topicNamesCollide('a.b', 'a.b'), false)
    assert.equal(topicNamesCollide('a.b', 'a-b'), false)
  })
})

describe('aliases', () => {
  test('are labels', () => {
    fc.assert(fc.property(alias, (text) => assert.equal(regionAlias(text), text)))
    for (const text of ['', 'US', 'a.b', 'a->b', '-a', 'a-', 'a_b', 'a b', 'x'.repeat(64)]) {
      assert.throws(() => regionAlias(text), RangeError, text)
    }
    assert.equal(flowId(east, west), 'us-east->eu-west')
  })
})
