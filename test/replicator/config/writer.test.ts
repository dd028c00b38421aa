import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { writeConfig } from '../../../replicator/config/writer.ts'
import { activePassivePair } from '../../../replicator/topology/patterns.ts'
import { resolveTopology } from '../../../replicator/topology/resolve-topology.ts'
import { anySpec } from '../topology/specs.ts'
import { load, problemsOf } from './files.ts'

describe('a written causeway.yaml', () => {
  test('is read back as the same topology and connections', () => {
    const password = fc.string().filter((text) => text !== '' && !text.includes('${'))
    fc.assert(
      fc.property(anySpec, password, (spec, text) => {
        const connections = Object.fromEntries(
          Object.keys(spec.regions).map((alias) => [
            alias,
            {
              bootstrap: [`${alias}.example:9092`],
              security: { tls: true, sasl: { mechanism: 'plain' as const, username: alias, password: text } },
            },
          ]),
        )
        const written = writeConfig(spec, connections, {
          http: { port: 0 },
          schema: './causeway.schema.json',
        })
        const result = load(written)
        assert.ok(result.ok, `${written}\n${problemsOf(result).join('\n')}`)
        const direct = resolveTopology(spec)
        assert.ok(direct.ok)
        assert.deepEqual(result.config.topology, direct.topology)
        assert.equal(result.config.http.port, 0)
        for (const [alias, { bootstrap, sasl }] of result.config.connections) {
          assert.deepEqual(bootstrap, [`${alias}.example:9092`])
          assert.ok(sasl?.mechanism === 'plain')
          assert.equal(sasl.password.reveal(), text)
        }
      }),
    )
  })

  test('writes out what parts of a spec share', () => {
    const topics = [{ name: 'prices' }]
    const flows = [{ source: 'a', target: 'b', topics, paused: topics }]
    const servers = { bootstrap: ['a:1'] }
    const written = writeConfig(
      { name: 'c', regions: { a: {}, b: {} }, topics, flows },
      { a: servers, b: servers },
    )
    assert.doesNotMatch(written, /[&*]/)
    assert.ok(load(written).ok)
  })

  test('reads well', () => {
    const spec = activePassivePair({
      name: 'payments',
      active: { alias: 'us-east' },
      passive: { alias: 'eu-west' },
      topics: [{ name: 'payments' }, { match: 'ledger\\..*' }],
      objectives: { rpo: '5s' },
    })
    const connections = {
      'us-east': { bootstrap: ['us:9092'], security: { tls: { ca: '${env:CA}' } } },
      'eu-west': { bootstrap: ['eu:9092'] },
    }
    assert.equal(
      writeConfig(spec, connections, { schema: 'https://example.com/s.json' }),
      `# yaml-language-server: $schema=https://example.com/s.json

name: payments
pattern: active-passive
regions:
  us-east:
    role: active
    bootstrap:
      - us:9092
    security:
      tls:
        ca: \${env:CA}
  eu-west:
    role: passive
    bootstrap:
      - eu:9092
topics:
  - { name: payments }
  - { match: ledger\\..* }
objectives:
  rpo: 5s
`,
    )
    assert.throws(
      () => writeConfig(spec, { 'us-east': connections['us-east'] }),
      /no connection is given for region "eu-west"/,
    )
  })
})
