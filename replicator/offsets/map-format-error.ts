/**
 * Bytes of the map topic that are no map. Reading them again does not help. What they told is lost with them, and
 * nothing else: positions there are translated as in a coarse span, or not at all.
 */
export class MapFormatError extends Error {
  override readonly name = 'MapFormatError'
  /** A newer Causeway wrote them: use that, or one at least as new. */
  readonly isNewer: boolean

  constructor(reason: string, { isNewer = false }: { readonly isNewer?: boolean } = {}) {
    super(`Offset map: ${reason}`)
    this.isNewer = isNewer
  }
}
