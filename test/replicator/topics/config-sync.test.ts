import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { TopicSyncOptions } from '../../../replicator/topics/topic-sync.ts'
import { configSync } from '../../../replicator/topology/defaults.ts'
import type { FlowId } from '../../../replicator/topology/model.ts'
import { codes } from './fake-topics.ts'
import { playing, type Setting } from './played-sync.ts'

describe('config sync', () => {
  const withCopy = ({ source, target }: Setting) => {
    source.add('a', 1, { configs: { 'retention.ms': '5' } })
    target.add('us-east.a', 1, { configs: { 'min.insync.replicas': '2', 'cleanup.policy': 'compact' } })
  }
  const configsOf = (setting: Setting) =>
    Object.fromEntries(setting.target.topics.get('us-east.a')?.configs ?? [])

  test('follows the source at each interval and sends nothing when equal', () =>
    playing(withCopy, async (setting) => {
      const { source, target, clock, kinds } = setting
      await clock.advance(1000)
      assert.deepEqual(configsOf(setting), { 'min.insync.replicas': '2', 'retention.ms': '5' })
      source.topics.get('a')?.configs.set('retention.ms', '6')
      await clock.advance(30_000)
      assert.equal(configsOf(setting)['retention.ms'], '6')
      await clock.advance(90_000)
      assert.equal(target.calls.filter((call) => call.startsWith('alterTopicConfigs')).length, 2)
      assert.deepEqual(kinds(), ['configs-changed', 'configs-changed'])
    }))

  test('a refused config does not keep the others back, and is told once', () =>
    playing(
      (setting) => {
        withCopy(setting)
        setting.target.refusals.set('alterConfig:retention.ms', codes.invalidConfig)
      },
      async (setting) => {
        await setting.clock.advance(100_000)
        assert.deepEqual(configsOf(setting), { 'min.insync.replicas': '2' })
        assert.deepEqual(setting.kinds(), ['configs-changed', 'configs-refused'])
      },
    ))

  test('a topic that refuses does not keep the others back', () =>
    playing(
      (setting) => {
        withCopy(setting)
        setting.source.add('b', 1, { configs: { 'retention.ms': '5' } })
        setting.target.add('us-east.b', 1)
        setting.target.refusals.set('alterTopicConfigs:us-east.a', codes.topicAuthorization)
      },
      async ({ target, clock, events }) => {
        await clock.advance(1000)
        assert.equal(target.topics.get('us-east.b')?.configs.get('retention.ms'), '5')
        const refused = events.find((event) => event.kind === 'configs-refused')
        assert.match(refused?.wayOut ?? '', /ALTER_CONFIGS on "us-east.a" at eu-west/)
      },
    ))

  test('tells which configs the target does not know', () =>
    playing(
      (setting) => {
        withCopy(setting)
        setting.source.topics.get('a')?.configs.set('new.config', 'x')
      },
      async ({ clock, events }) => {
        await clock.advance(40_000)
        const unknown = events.filter((event) => event.kind === 'configs-unknown')
        assert.deepEqual(
          unknown.map((event) => event.names),
          [['new.config']],
        )
      },
    ))

  test('off leaves the target alone', () =>
    playing(
      withCopy,
      async ({ target, clock }) => {
        await clock.advance(60_000)
        assert.equal(target.calls.filter((call) => call.includes('Configs')).length, 0)
      },
      {
        options: {
          flow: {
            id: 'us-east->eu-west' as FlowId,
            source: 'us-east',
            target: 'eu-west',
            replicationFactor: 1,
            configSync: { ...configSync, mode: 'off' },
          } as TopicSyncOptions['flow'],
        },
      },
    ))
})
