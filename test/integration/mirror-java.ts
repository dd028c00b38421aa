import assert from 'node:assert/strict'
import { join } from 'node:path'
import { brokerJvmArguments } from '../../replicator/local/broker-process.ts'
import { installKafka } from '../../replicator/local/installation.ts'
import { runCommand } from '../../replicator/local/run-command.ts'

const program = join(import.meta.dirname, '..', 'java', 'ReadMirrorState.java')

/** [topic, partition, offset, metadata] */
type JavaOffsets = readonly (readonly [string, number, number, string])[]

/** What test/java/ReadMirrorState.java prints. Lists are sorted. */
export interface JavaMirrorState {
  readonly checkpointsTopic: string
  readonly offsetSyncsTopic: string
  readonly remoteConsumerOffsets: JavaOffsets
  readonly translateOffsets: JavaOffsets
  readonly translateOffsetsOfAll: Readonly<Record<string, JavaOffsets>>
  readonly remoteTopics: readonly string[]
  readonly upstreamClusters: readonly string[]
  readonly heartbeatTopics: readonly string[]
  readonly checkpointTopics: readonly string[]
  readonly replicationHops: number
  /** [source, target, milliseconds], where a topic of heartbeats was named. */
  readonly heartbeats?: readonly (readonly [string, string, number])[]
  /** [topic, partition, upstream, downstream], where a topic of offset syncs was named. */
  readonly offsetSyncs?: readonly (readonly [string, number, number, number])[]
}

export interface MirrorQuestion {
  /** Of the source. */
  readonly alias: string
  readonly group: string
  /** Of MirrorClient; `heartbeats.topic` and `offset.syncs.topic` name topics to read raw. */
  readonly configs: Readonly<Record<string, string>>
}

/**
 * What Java's MirrorClient and RemoteClusterUtils tell of a cluster, all in one JVM: an answer for each question.
 * @throws AssertionError when Java fails
 */
export async function readMirrorStates(
  bootstrap: readonly string[],
  questions: readonly MirrorQuestion[],
): Promise<readonly JavaMirrorState[]> {
  const { signal } = new AbortController()
  const { javaPath, classpath, classArchive } = await installKafka({}, signal)
  const asked = questions.flatMap(({ alias, group, configs }, index) => [
    ...(index === 0 ? [] : ['--']),
    ...[alias, group],
    ...Object.entries(configs).map(([name, value]) => `${name}=${value}`),
  ])
  const args = [
    ...brokerJvmArguments('quick', 256, classArchive),
    ...['-cp', classpath, program, bootstrap.join(','), ...asked],
  ]
  const { code, stdout, stderr } = await runCommand(javaPath, args, {}, signal)
  assert.equal(code, 0, `Java ended with ${code}: ${stderr}`)
  const answers = stdout.split('\n').filter((line) => line.startsWith('{'))
  assert.equal(answers.length, questions.length, `Java printed ${stdout}`)
  return answers.map((line) => JSON.parse(line) as JavaMirrorState)
}
