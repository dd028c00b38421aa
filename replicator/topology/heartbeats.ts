import { prefixSeparator } from './defaults.ts'
import type { Flow, RegionAlias } from './model.ts'
import { isCycle } from './naming.ts'

/** MirrorMaker 2's topic of signs of life, on each cluster that somebody writes them to. */
export const heartbeatsTopic = 'heartbeats'

/**
 * The topics of heartbeats that a flow copies as MirrorMaker 2 does, under either of its policies: prefixed, whatever
 * the flow's own naming, because the copy's name is what tells where it came from.
 */
export interface HeartbeatRules {
  /** `heartbeats`, or a copy of it over any number of hops. */
  isHeartbeats(topic: string): boolean
  /** Whether it passed through the target. */
  isCycle(topic: string): boolean
  targetNameOf(topic: string): string
}

/** `undefined` for a flow that takes topics of heartbeats like any others. */
export function heartbeatRules(
  {
    copiesHeartbeats,
    naming: own,
    source,
    target,
  }: Pick<Flow, 'copiesHeartbeats' | 'naming' | 'source' | 'target'>,
  aliases: readonly RegionAlias[],
): HeartbeatRules | undefined {
  if (copiesHeartbeats !== true) return undefined
  const separator = own.kind === 'prefixed' ? own.separator : prefixSeparator
  const naming = { kind: 'prefixed', separator } as const
  return {
    isHeartbeats: (topic) =>
      topic === heartbeatsTopic || (separator !== '' && topic.endsWith(separator + heartbeatsTopic)),
    isCycle: (topic) => isCycle(naming, topic, { aliases, target }),
    targetNameOf: (topic) => source + separator + topic,
  }
}
