import { describeConfigsApi } from './api-versions.ts'
import { protocolError, transportError } from './errors.ts'
import type { Requests } from './requests.ts'
import { retrying } from './retrying.ts'

/** The protocol's number for resources that are brokers. */
const brokerResource = 4
const clusterAuthorizationFailed = 31

/**
 * DescribeConfigs of one broker: a broker tells only its own, so attempts go from one to the next. Empty where the
 * principal may not ask.
 */
export async function describeBrokerConfigs(
  requests: Requests,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<string, string>> {
  const place = { cluster: requests.cluster, during: 'DescribeConfigs' }
  return await retrying(requests.retry, place, signal, async (inner, number) => {
    if (requests.directory.stale) await requests.refresh(inner)
    const brokers = [...requests.directory.brokers.keys()].sort((a, b) => a - b)
    const broker = brokers[number % Math.max(1, brokers.length)]
    if (broker === undefined) throw transportError('connection', 'no broker is known', place)
    const resource = {
      resourceType: brokerResource as 4,
      resourceName: String(broker),
      configurationKeys: [...names],
    }
    const { results } = await requests.toBroker(broker, describeConfigsApi, [resource], inner)
    const [result] = results
    if (result === undefined) throw transportError('malformed', 'the answer names no broker', place)
    if (result.errorCode === clusterAuthorizationFailed) return new Map()
    if (result.errorCode !== 0) {
      throw protocolError(result.errorCode, { ...place, broker }, result.errorMessage)
    }
    return new Map(
      result.configs.flatMap(({ name, value }): [string, string][] =>
        typeof value === 'string' ? [[name, value]] : [],
      ),
    )
  })
}
