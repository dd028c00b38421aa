/** Chance, as a seam: seeded in simulation, the engine's own in production. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number
}

/** The engine's generator. Not for secrets. */
export const systemRandom: Random = { next: () => Math.random() }
