import assert from 'node:assert/strict'
import { test } from 'node:test'
import { consoleTools } from '../../../../replicator/cli/demo/console-commands.ts'

const bootstrapCheckpoint = '/cache/bootstrap.checkpoint'

test('with Java, the tools come from the folder of the jars', () => {
  const classpath = "/home/o'neil/libs/a.jar:/home/o'neil/libs/b.jar"
  const tools = consoleTools({ kind: 'java', classpath, version: '4', javaPath: 'java', bootstrapCheckpoint })
  assert.equal(tools.setup, String.raw`export CLASSPATH='/home/o'\''neil/libs/*'`)
  assert.equal(tools.command('topics'), 'java org.apache.kafka.tools.TopicCommand')
})

test('with Docker, they run in the image, and the producer reads the terminal', () => {
  const image = 'apache/kafka:4'
  const tools = consoleTools({
    kind: 'docker',
    dockerPath: 'docker',
    image,
    version: '4',
    bootstrapCheckpoint,
  })
  assert.equal(tools.setup, undefined)
  const start = 'docker run --rm -i --network host apache/kafka:4 /opt/kafka/bin'
  assert.equal(tools.command('producer'), `${start}/kafka-console-producer.sh`)
  assert.match(tools.command('consumer'), /--rm --network host .*kafka-console-consumer\.sh$/)
})

test('with brokers given by hand, they are whatever is on PATH', () => {
  assert.equal(consoleTools(undefined).command('topics'), 'kafka-topics.sh')
})
