import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { writeConfig } from '../../../replicator/config/writer.ts'
import { load, problemsOf, sound } from './files.ts'

const file = sound.head + sound.regions + sound.topics

describe('how replicas share flows', () => {
  test('has defaults', () => {
    const result = load(file)
    assert.ok(result.ok)
    assert.deepEqual(result.config.replicas, { instanceId: undefined, sessionTimeoutMs: 10_000 })
  })

  test('takes an instance id from the environment, and a session timeout', () => {
    const text = `${file}replicas: { instanceId: "causeway-\${env:POD_NAME}", sessionTimeout: 30s }\n`
    const result = load(text, { environment: { POD_NAME: 'payments-2' } })
    assert.ok(result.ok, problemsOf(result).join('\n'))
    assert.deepEqual(result.config.replicas, { instanceId: 'causeway-payments-2', sessionTimeoutMs: 30_000 })
  })

  test('is told what is wrong, all of it', () => {
    assert.deepEqual(
      problemsOf(load(`${file}replicas: { instanceId: "\${env:POD}", sessionTimeout: 0s }\n`)),
      [
        'causeway.yaml:7:25 replicas.instanceId: the environment variable POD is not set; set it, or use ${file:PATH}',
        'causeway.yaml:7:55 replicas.sessionTimeout: not a duration above zero; write a number with ms, s, m, h or d, such as 500ms or 5s',
      ],
    )
    for (const id of ['a b', '..', 'x'.repeat(250)]) {
      assert.deepEqual(problemsOf(load(`${file}replicas: { instanceId: "${id}" }\n`)), [
        'causeway.yaml:7:25 replicas.instanceId: not an id that Kafka takes; use at most 249 letters, digits, ".", "_" and "-"',
      ])
    }
  })

  test('is written as it is read', () => {
    const spec = {
      name: 'c',
      regions: { a: {}, b: {} },
      topics: [{ name: 't' }],
      flows: [{ source: 'a', target: 'b' }],
    }
    const servers = { bootstrap: ['a:1'] }
    const replicas = { instanceId: '${env:POD_NAME}', sessionTimeout: '20s' }
    const result = load(writeConfig(spec, { a: servers, b: servers }, { replicas }), {
      environment: { POD_NAME: 'p' },
    })
    assert.ok(result.ok, problemsOf(result).join('\n'))
    assert.deepEqual(result.config.replicas, { instanceId: 'p', sessionTimeoutMs: 20_000 })
  })
})
