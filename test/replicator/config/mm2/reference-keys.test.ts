import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { configOf, loadLines, notesOf, problemsOf } from './mm2-files.ts'
import { clientRows, driverRows, groupRows, type Row, sharedRows, sourceRows } from './reference-rows.ts'

/** Every key that MirrorMaker 2's connectors, driver and clients are documented with; see the rows. */
const listed: Readonly<Record<string, readonly [rows: readonly Row[], keys: string]>> = {
  shared: [
    sharedRows,
    `enabled source.cluster.alias target.cluster.alias admin.timeout.ms replication.policy.class
     replication.policy.separator replication.policy.internal.topic.separator.enabled forwarding.admin.class
     metric.reporters security.protocol ssl.* sasl.* tasks.max transforms predicates errors.* exactly.once.support
     transaction.boundary`,
  ],
  source: [
    sourceRows,
    `topics topics.exclude topic.filter.class config.property.filter.class config.properties.exclude
     use.defaults.from consumer.poll.timeout.ms refresh.topics.enabled refresh.topics.interval.seconds
     sync.topic.configs.enabled sync.topic.configs.interval.seconds sync.topic.acls.enabled
     sync.topic.acls.interval.seconds replication.factor offset.lag.max emit.offset-syncs.enabled
     offset-syncs.topic.replication.factor offset-syncs.topic.location heartbeats.replication.enabled
     use.incremental.alter.configs add.source.alias.to.metrics topics.blacklist groups.blacklist
     config.properties.blacklist metric.names.formats`,
  ],
  'checkpoints and heartbeats': [
    groupRows,
    `groups groups.exclude group.filter.class topic.filter.class refresh.groups.enabled
     refresh.groups.interval.seconds emit.checkpoints.enabled emit.checkpoints.interval.seconds
     sync.group.offsets.enabled sync.group.offsets.interval.seconds checkpoints.topic.replication.factor
     offset-syncs.topic.location consumer.poll.timeout.ms emit.heartbeats.enabled
     emit.heartbeats.interval.seconds heartbeats.topic.replication.factor`,
  ],
  'driver and worker': [
    driverRows,
    `clusters dedicated.mode.enable.internal.rest config.providers listeners offset.flush.interval.ms
     offset.flush.timeout.ms scheduled.rebalance.max.delay.ms offset.storage.replication.factor
     status.storage.replication.factor config.storage.replication.factor exactly.once.source.support
     key.converter value.converter header.converter`,
  ],
  clients: [
    clientRows,
    `A.consumer.x A.x x consumer.x A.topics A->B.x A->B.consumer.x A->B.source.consumer.x
     A->B.producer.override.x B.producer.x A.admin.x auto.offset.reset isolation.level interceptor.classes`,
  ],
}

for (const [what, [rows, keys]] of Object.entries(listed)) {
  describe(`keys of ${what}`, () => {
    test('each has a row', () => {
      assert.deepEqual([...new Set(rows.map(({ key }) => key))].sort(), keys.trim().split(/\s+/).sort())
    })

    for (const { line, gives, note, problem } of rows) {
      test(line, () => {
        const loaded = loadLines(`${line}\n`)
        if (problem !== undefined) {
          const problems = problemsOf(loaded)
          assert.equal(problems.length, 1, problems.join('\n'))
          assert.match(problems[0] ?? '', problem)
          return
        }
        const config = configOf(loaded)
        if (gives !== undefined) assert.deepEqual(gives[0](config), gives[1])
        const notes = notesOf(loaded)
        assert.equal(notes.length, note === undefined ? 0 : 1, notes.join('\n'))
        if (note !== undefined) assert.match(notes[0] ?? '', note)
      })
    }
  })
}
