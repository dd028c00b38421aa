import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { parse } from 'yaml'
import { checkpointKeys, heartbeatKeys } from '../../../../replicator/config/mm2/checkpoint-keys.ts'
import { clientKeys, connectionKeys } from '../../../../replicator/config/mm2/client-keys.ts'
import { sharedKeys, sourceKeys } from '../../../../replicator/config/mm2/connector-keys.ts'
import { meaningOf } from '../../../../replicator/config/mm2/key-meaning.ts'
import { driverKeys, ownKeys, workerKeys } from '../../../../replicator/config/mm2/runtime-keys.ts'
import { keyTables, tablesBegin, tablesEnd } from './key-tables.ts'
import { configOf, loadFile, problemsOf } from './mm2-files.ts'

const doc = readFileSync(join(import.meta.dirname, '../../../../docs/from-mirrormaker2.md'), 'utf8')

describe('docs/from-mirrormaker2.md', () => {
  test('has the tables as they are', () => {
    const written = doc.split(tablesBegin)[1]?.split(tablesEnd)[0]?.trim()
    assert.equal(written, keyTables(), 'run node test/replicator/config/mm2/write-key-tables.ts')
  })

  test('shows files that can be read', () => {
    const blocks = [...doc.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    const environment = { A_PASSWORD: 'x', B_PASSWORD: 'y' }
    const shown = blocks.filter(([, language]) => language === 'properties' || language === 'yaml')
    assert.ok(shown.length >= 2)
    for (const [, language, text = ''] of shown) {
      const name = language === 'yaml' ? 'connectors.yaml' : 'mm2.properties'
      if (language === 'yaml') assert.ok(Array.isArray((parse(text) as { connectors?: unknown }).connectors))
      const loaded = loadFile(name, text, { environment })
      assert.deepEqual(problemsOf(loaded), [])
      assert.ok(configOf(loaded).topology.flows.length > 0)
    }
  })
})

describe('meanings', () => {
  const all = {
    ...{
      driverKeys,
      sharedKeys,
      sourceKeys,
      checkpointKeys,
      heartbeatKeys,
      connectionKeys,
      workerKeys,
      ownKeys,
    },
    ...clientKeys,
  }
  for (const [name, keys] of Object.entries(all)) {
    test(`${name}: each key once, in a sentence`, () => {
      assert.equal(new Set(keys.map(({ key }) => key)).size, keys.length)
      for (const { key, here } of keys) assert.match(here, /^[A-Z].*\.$/, key)
    })
  }

  test('a family takes what no key of its own says', () => {
    assert.equal(meaningOf(connectionKeys, 'ssl.keystore.type')?.key, 'ssl.keystore.type')
    assert.equal(meaningOf(connectionKeys, 'ssl.protocol')?.key, 'ssl.*')
    assert.equal(meaningOf(connectionKeys, 'ssl.'), undefined)
    assert.equal(meaningOf(sharedKeys, 'value.converter.schemas.enable')?.key, '*.converter.*')
    assert.equal(meaningOf(sharedKeys, 'transformsx'), undefined)
  })
})
