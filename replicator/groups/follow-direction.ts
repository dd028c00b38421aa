import type { CopiedPartition } from '../flow/shard-companion.ts'
import type { OffsetMap, OffsetPair, Translation } from '../offsets/offset-map.ts'
import { type SourceOffset, sourceOffset, type TargetOffset, targetOffset } from '../records/offsets.ts'

/**
 * Which way commits go, as the flow sees it. `forth`: from the source's topics to their copies. `back`: from the copies,
 * which consumers of the target read, to the source's topics: a group that reads both regions' records stands right in
 * either of them. What is called source and target elsewhere in this room is then the other way round.
 */
export interface FollowDirection {
  readonly name: 'forth' | 'back'
  /** The topic whose commits are followed. */
  from(copy: Pick<CopiedPartition, 'topic' | 'targetTopic'>): string
  /** The topic that they are made for on the other side. */
  to(copy: Pick<CopiedPartition, 'topic' | 'targetTopic'>): string
  translate(map: OffsetMap, position: SourceOffset): Translation<TargetOffset>
}

export const forth: FollowDirection = {
  name: 'forth',
  from: ({ topic }) => topic,
  to: ({ targetTopic }) => targetTopic,
  translate: (map, position) => map.translate(position),
}

export const back: FollowDirection = {
  name: 'back',
  from: ({ targetTopic }) => targetTopic,
  to: ({ topic }) => topic,
  translate: (map, position) => turned(map.translateBack(targetOffset(position))),
}

function turned(translation: Translation<SourceOffset>): Translation<TargetOffset> {
  switch (translation.kind) {
    case 'exact':
      return { ...translation, offset: targetOffset(translation.offset) }
    case 'between':
      return { ...translation, from: targetOffset(translation.from), to: targetOffset(translation.to) }
    case 'not-copied-yet':
      return { ...translation, last: turnedPair(translation.last) }
    case 'before-the-map':
      return { ...translation, first: turnedPair(translation.first) }
  }
}

const turnedPair = ({ source, target }: OffsetPair): OffsetPair => ({
  source: sourceOffset(target),
  target: targetOffset(source),
})
