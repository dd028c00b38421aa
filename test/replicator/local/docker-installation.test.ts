import assert from 'node:assert/strict'
import { test } from 'node:test'
import { containerCommand } from '../../../replicator/local/broker-host.ts'
import { formatCommand } from '../../../replicator/local/docker-installation.ts'

// No engine is asked here: this holds the command lines that Docker would get.

test('one container for all brokers of a cluster, reachable from this machine only, gone with the folder', () => {
  const shared = { folder: '/tmp/c', logFolder: '/logs', ports: [20001, 20002] }
  const command = containerCommand('apache/kafka:4.3.1', 'causeway-us-east-x', shared, '1000:1000')
  assert.deepEqual(command, [
    'run',
    '--rm',
    '--detach',
    '--init',
    '--name=causeway-us-east-x',
    '--user=1000:1000',
    '--volume=/tmp/c:/tmp/c',
    '--volume=/logs:/logs',
    '--publish=127.0.0.1:20001:20001',
    '--publish=127.0.0.1:20002:20002',
    '--entrypoint=/bin/sh',
    'apache/kafka:4.3.1',
    '-c',
    "while [ -e '/tmp/c/running' ]; do sleep 1; done",
  ])
})

test('formatting runs the storage tool of the image and writes into the shared folder', () => {
  const command = formatCommand('apache/kafka:4.3.1', '/cache/part', '1000:1000')
  assert.deepEqual(command.slice(0, 5), [
    'run',
    '--rm',
    '--user=1000:1000',
    '--volume=/cache/part:/cache/part',
    '--entrypoint=/bin/sh',
  ])
  assert.match(command.at(-1) ?? '', /'log\.dirs=\/cache\/part'.*kafka-storage\.sh format -t \S{22} -c/)
})
