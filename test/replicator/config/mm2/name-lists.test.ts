import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { expressionsOf, listOf, selectNames } from '../../../../replicator/config/mm2/name-lists.ts'
import { compileNames } from '../../../../replicator/topology/selection.ts'

describe('lists', () => {
  test('split at commas, blanks around items do not count', () => {
    assert.deepEqual(listOf(' a , b,c ,, '), ['a', 'b', 'c'])
    assert.deepEqual(listOf('  '), [])
  })
})

describe('include and exclude', () => {
  test('names are exact, expressions stand in one selection with the exclusions', () => {
    assert.deepEqual(selectNames('orders, pay\\.ments, ledger\\..*|audit-.*', '.*\\.tmp, .*-old'), {
      ok: true,
      selections: [
        { name: 'orders' },
        { name: 'pay.ments' },
        { match: 'ledger\\..*|audit-.*', exclude: '.*\\.tmp|.*-old' },
      ],
      excluded: [],
    })
  })

  test('an exclusion wins over a name', () => {
    const selected = selectNames('orders, orders-old', '.*-old')
    assert.deepEqual(selected, { ok: true, selections: [{ name: 'orders' }], excluded: ['orders-old'] })
  })

  test('without exclusions; nothing from an empty list', () => {
    assert.deepEqual(selectNames('.*', ''), { ok: true, selections: [{ match: '.*' }], excluded: [] })
    assert.deepEqual(selectNames('', '.*'), { ok: true, selections: [], excluded: [] })
  })

  test('the items are joined before they are read, as Java does', () => {
    assert.deepEqual(selectNames('(a,b)', ''), { ok: true, selections: [{ match: '(a|b)' }], excluded: [] })
  })

  test('a long list becomes several selections that together take the same', () => {
    const items = Array.from({ length: 300 }, (_, index) => `topic-${index}-.*`)
    const selected = selectNames(items.join(','), '.*-secret')
    assert.ok(selected.ok && selected.selections.length > 1)
    assert.ok(selected.selections.every(({ match = '' }) => match.length <= 1_000))
    const takes = compileNames(
      selected.selections.map(({ match = '', exclude = '' }) => ({ kind: 'match', match, exclude })),
    )
    for (let index = 0; index < 300; index++) {
      assert.ok(takes(`topic-${index}-x`))
      assert.ok(!takes(`topic-${index}-secret`))
    }
    assert.ok(!takes('topic-300-x'))
  })

  test('what cannot be translated is said with the list it stands in', () => {
    const [include, exclude] = [selectNames('a++', 'b'), selectNames('a', '(?i)b')]
    assert.ok(!include.ok && include.of === 'include')
    assert.ok(!exclude.ok && exclude.of === 'exclude')
  })
})

test('single expressions', () => {
  assert.deepEqual(expressionsOf('min\\.insync\\.replicas, a|b'), {
    ok: true,
    expressions: ['min\\.insync\\.replicas', 'a', 'b'],
  })
  assert.ok(!expressionsOf('a, (?i)b').ok)
})
