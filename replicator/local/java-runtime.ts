import { join } from 'node:path'
import { LocalError } from './local-error.ts'
import { runCommand } from './run-command.ts'

/** The oldest Java that Apache Kafka 4 brokers run on. */
export const oldestJava = 17

/** A Java runtime that can run brokers. */
export interface JavaRuntime {
  readonly javaPath: string
  readonly major: number
  /** Everything `java -version` said: names the build, so that it can key what depends on it. */
  readonly build: string
}

/** The major version in the output of `java -version`; `undefined` when it cannot be read. */
export function javaMajorVersion(versionOutput: string): number | undefined {
  const match = /version "(?:1\.)?(\d+)/.exec(versionOutput)
  return match?.[1] === undefined ? undefined : Number(match[1])
}

/**
 * Finds Java: `$JAVA_HOME/bin/java`, else `java` on PATH.
 * @throws LocalError `java-missing` when there is none or it is too old.
 */
export async function findJava(env: NodeJS.ProcessEnv, signal: AbortSignal): Promise<JavaRuntime> {
  const home = env.JAVA_HOME
  const javaPath = home === undefined || home === '' ? 'java' : join(home, 'bin', 'java')
  const remedy =
    `Install a Java runtime, version ${oldestJava} or newer ` +
    '(Debian, Ubuntu: `apt-get install default-jre-headless`; macOS: `brew install openjdk`), ' +
    'and put it on PATH or name it in JAVA_HOME.'
  let said: string
  try {
    const outcome = await runCommand(javaPath, ['-version'], { env }, signal)
    said = `${outcome.stderr}${outcome.stdout}`
  } catch (error) {
    signal.throwIfAborted()
    throw new LocalError(
      'java-missing',
      `Java is needed to run Kafka brokers; "${javaPath}" does not run.`,
      remedy,
      {
        cause: error,
      },
    )
  }
  const major = javaMajorVersion(said)
  if (major === undefined) {
    throw new LocalError(
      'java-missing',
      `"${javaPath} -version" does not look like Java: ${said.trim()}`,
      remedy,
    )
  }
  if (major < oldestJava) {
    throw new LocalError(
      'java-missing',
      `"${javaPath}" is Java ${major}; Kafka brokers need ${oldestJava}.`,
      remedy,
    )
  }
  return { javaPath, major, build: said.trim() }
}
