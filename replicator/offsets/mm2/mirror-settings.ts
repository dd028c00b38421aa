import { offsetLagMaxDefault } from './sync-spacing.ts'

/** MirrorMaker 2's own defaults of what it writes beside copies. */
export const mirrorMakerDefaults = {
  /** Records: see `syncsOfRun`. */
  offsetLagMax: offsetLagMaxDefault,
  /** After which an offset sync that was held back is written: Connect's `offset.flush.interval.ms`. */
  flushIntervalMs: 60_000,
  heartbeatIntervalMs: 1_000,
} as const
