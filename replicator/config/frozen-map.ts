/** A map that refuses changes at run time too; `Object.freeze` does not reach a map's entries. */
export function frozenMap<K, V>(entries: Iterable<readonly [K, V]>): ReadonlyMap<K, V> {
  const map = new Map(entries)
  const refuse = (): never => {
    throw new TypeError('this map is frozen')
  }
  const refused = { value: refuse, enumerable: false }
  return Object.freeze(Object.defineProperties(map, { set: refused, delete: refused, clear: refused }))
}
