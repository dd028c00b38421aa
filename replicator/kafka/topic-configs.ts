import { type describeConfigsV4, IncrementalAlterConfigOperationTypes } from '@platformatic/kafka'
import { describeConfigsApi, incrementalAlterConfigsApi } from './api-versions.ts'
import type { ConfigSource, Outcome, Result, TopicConfigChange, TopicConfigEntry } from './cluster.ts'
import { protocolError } from './errors.ts'
import type { Requests } from './requests.ts'
import { retryingEach } from './retrying.ts'

/** The protocol's number for resources that are topics. */
const topicResource = 2
/** Keeps an answer of DescribeConfigs (about 40 configs a topic) within a few megabytes. */
const topicsPerRequest = 500

/** DescribeConfigs, of any broker. */
export async function describeTopicConfigs(
  requests: Requests,
  topics: readonly string[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Result<readonly TopicConfigEntry[]>>> {
  const place = { cluster: requests.cluster, during: 'DescribeConfigs' }
  return await retryingEach(requests.retry, place, signal, [...new Set(topics)], async (pending, inner) => {
    const results = new Map<string, Result<readonly TopicConfigEntry[]>>()
    for (const names of chunks(pending)) {
      const resources = names.map((resourceName) => ({
        resourceType: topicResource as 2,
        resourceName,
        configurationKeys: null,
      }))
      const answer = await requests.toAny(describeConfigsApi, resources, inner)
      for (const { resourceName: topic, errorCode, errorMessage, configs } of answer.results) {
        results.set(
          topic,
          errorCode === 0
            ? { ok: true, value: configs.map(readEntry) }
            : { ok: false, error: protocolError(errorCode, { ...place, topic }, errorMessage) },
        )
      }
    }
    return results
  })
}

/** IncrementalAlterConfigs, of any broker: KRaft brokers forward it, older ones write it themselves. */
export async function alterTopicConfigs(
  requests: Requests,
  changes: ReadonlyMap<string, readonly TopicConfigChange[]>,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, Outcome>> {
  const place = { cluster: requests.cluster, during: 'IncrementalAlterConfigs' }
  return await retryingEach(requests.retry, place, signal, [...changes.keys()], async (pending, inner) => {
    const results = new Map<string, Outcome>()
    for (const names of chunks(pending)) {
      const resources = names.map((resourceName) => ({
        resourceType: topicResource as 2,
        resourceName,
        configs: (changes.get(resourceName) ?? []).map(writeChange),
      }))
      const answer = await requests.toAny(incrementalAlterConfigsApi, resources, inner)
      for (const { resourceName: topic, errorCode, errorMessage } of answer.responses) {
        results.set(
          topic,
          errorCode === 0
            ? { ok: true, value: undefined }
            : { ok: false, error: protocolError(errorCode, { ...place, topic }, errorMessage) },
        )
      }
    }
    return results
  })
}

function* chunks(names: readonly string[]): Generator<readonly string[]> {
  for (let start = 0; start < names.length; start += topicsPerRequest) {
    yield names.slice(start, start + topicsPerRequest)
  }
}

/** By the protocol's number (KIP-226); others, such as loggers, do not concern topics. */
const sources: Readonly<Record<number, ConfigSource>> = {
  1: 'topic',
  2: 'broker-dynamic',
  3: 'broker-dynamic-default',
  4: 'broker-static',
  5: 'default',
}

function readEntry(config: describeConfigsV4.DescribeConfigsResponseConfig): TopicConfigEntry {
  return {
    name: config.name,
    value: config.value ?? undefined,
    source: sources[config.configSource] ?? 'unknown',
    readOnly: config.readOnly,
    sensitive: config.isSensitive,
  }
}

function writeChange(change: TopicConfigChange) {
  const { SET, DELETE } = IncrementalAlterConfigOperationTypes
  return change.kind === 'set'
    ? { name: change.name, configOperation: SET, value: change.value }
    : { name: change.name, configOperation: DELETE }
}
