import type { Clock } from '../clock/clock.ts'
import type { Random } from '../clock/random.ts'
import type { BrokerChannels } from './broker-channels.ts'

/** What a partition is read with. */
export interface ReaderContext {
  readonly channels: BrokerChannels
  readonly clock: Clock
  readonly random: Random
  readonly signal: AbortSignal
}
