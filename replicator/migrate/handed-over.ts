import type { Progress, StoppedForGood } from '../shards/progress-record.ts'
import type { PartitionRefusal } from './refusal.ts'

const notTaken = 'it was not taken over from MirrorMaker 2'

/** Stands in the progress of a partition that MirrorMaker 2 copies again: no start of ours goes on there by itself. */
export const handedOver: StoppedForGood = {
  reason: 'it was handed over to MirrorMaker 2',
  wayOut:
    'Let MirrorMaker 2 copy it. To take it back, stop MirrorMaker 2 and run causeway migrate from-mm2 once more',
}

/** Of one whose position is not known: without it, the next start would copy everything once more. */
export const stopOf = ({ reason, wayOut }: PartitionRefusal): StoppedForGood => ({
  reason: `${notTaken}: ${reason}`,
  wayOut: `Run causeway migrate from-mm2 once more: ${wayOut}`,
})

/** Whether a partition is MirrorMaker 2's, as far as we are concerned. */
export const isMirrorMakers = (progress: Progress | undefined): boolean =>
  progress?.stop?.reason === handedOver.reason || progress?.stop?.reason.startsWith(notTaken) === true

/** Whether MirrorMaker 2 got it back from us. */
export const isHandedOver = (progress: Progress | undefined): boolean =>
  progress?.stop?.reason === handedOver.reason
