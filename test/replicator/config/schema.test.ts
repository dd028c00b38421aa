import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import { jsonSchema } from '../../../replicator/config/schema.ts'

const committed = new URL('../../../replicator/config/causeway.schema.json', import.meta.url)

describe('the JSON Schema', () => {
  test('that is committed is the one that the code makes', () => {
    const text = `${JSON.stringify(jsonSchema(), null, 2)}\n`
    const regenerate = 'run: npm run -s causeway -- topology schema > replicator/config/causeway.schema.json'
    assert.equal(readFileSync(committed, 'utf8'), text, regenerate)
  })

  test('describes every key, and permits no unknown one', () => {
    const undescribed: string[] = []
    const open: string[] = []
    const walk = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return
      if ('properties' in node && typeof node.properties === 'object' && node.properties !== null) {
        if (!('additionalProperties' in node) || node.additionalProperties !== false) open.push(path)
        for (const [key, child] of Object.entries(node.properties)) {
          if (!('description' in child)) undescribed.push(`${path}.${key}`)
        }
      }
      for (const [key, child] of Object.entries(node)) walk(child, `${path}.${key}`)
    }
    walk(jsonSchema(), '')
    assert.deepEqual(open, [])
    assert.deepEqual(undescribed, [])
  })
})
