/** Nothing of a migration can be done as things are; nothing was changed. */
export class MigrationRefusedError extends Error {
  override readonly name = 'MigrationRefusedError'
}

/** Why a partition is left as it is, and what the user can do. */
export interface PartitionRefusal {
  readonly kind: 'refused'
  readonly reason: string
  readonly wayOut: string
}

export const refused = (reason: string, wayOut: string): PartitionRefusal => ({
  kind: 'refused',
  reason,
  wayOut,
})
