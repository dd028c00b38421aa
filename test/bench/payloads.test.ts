import assert from 'node:assert/strict'
import { test } from 'node:test'
import { deflateRawSync } from 'node:zlib'
import { orderLines, randomLines } from './payloads.ts'

test('lines have exactly the asked size, no line ends, and are the same every time', () => {
  for (const lines of [randomLines, orderLines]) {
    const made = lines({ count: 50, bytes: 1024 })
    assert.equal(made.length, 50)
    assert.ok(made.every((line) => Buffer.byteLength(line) === 1024 && !line.includes('\n')))
    assert.deepEqual(lines({ count: 50, bytes: 1024 }), made)
    assert.equal(new Set(made).size, 50)
  }
})

test('orders compress well, random lines only by their alphabet', () => {
  const ratio = (lines: string[]) => {
    const text = lines.join('')
    return text.length / deflateRawSync(text).length
  }
  assert.ok(ratio(randomLines({ count: 64, bytes: 1024 })) < 1.4)
  assert.ok(ratio(orderLines({ count: 64, bytes: 1024 })) > 3)
})
