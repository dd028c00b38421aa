import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import { findJava, javaMajorVersion } from '../../../replicator/local/java-runtime.ts'
import { LocalError } from '../../../replicator/local/local-error.ts'

const signal = new AbortController().signal

describe('javaMajorVersion', () => {
  const said = new Map([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['openjdk version "21" 2023-09-19', 21],
    ['java version "1.8.0_392"', 8],
    ['openjdk version "25-ea" 2025-09-16', 25],
    ['The operation couldn’t be completed. Unable to locate a Java Runtime.', undefined],
  ])
  for (const [text, major] of said) {
    test(`reads ${major} in: ${text}`, () => assert.equal(javaMajorVersion(text), major))
  }
})

describe('findJava', () => {
  /** A `java` in a folder of its own that says `text` as the real one says its version. */
  async function withJava(text: string, use: (home: string) => Promise<void>): Promise<void> {
    const home = await mkdtemp(join(tmpdir(), 'causeway-java-'))
    try {
      await mkdir(join(home, 'bin'))
      await writeFile(join(home, 'bin', 'java'), `#!/bin/sh\necho '${text}' >&2\n`)
      await chmod(join(home, 'bin', 'java'), 0o755)
      await use(home)
    } finally {
      await rm(home, { recursive: true })
    }
  }

  test('takes JAVA_HOME first', () =>
    withJava('openjdk version "21.0.1" 2023', async (home) => {
      const java = await findJava({ JAVA_HOME: home, PATH: '/nowhere' }, signal)
      assert.deepEqual(
        { javaPath: java.javaPath, major: java.major },
        { javaPath: join(home, 'bin', 'java'), major: 21 },
      )
    }))

  test('refuses a Java that is too old, and says which is needed', () =>
    withJava('openjdk version "11.0.2" 2019', async (home) => {
      await assert.rejects(findJava({ JAVA_HOME: home }, signal), (error: unknown) => {
        assert.ok(error instanceof LocalError)
        assert.equal(error.problem, 'java-missing')
        assert.match(error.message, /is Java 11; Kafka brokers need 17/)
        return true
      })
    }))
})
