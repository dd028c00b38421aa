/**
 * What a key of MirrorMaker 2 comes to here.
 * `same`: it does the same. `differs`: it is read and means something else. `not-needed`: nothing has to be said.
 * `refused`: what it asks for cannot be done here and would change what is copied, or how clusters are reached.
 */
export type KeyKind = 'same' | 'differs' | 'not-needed' | 'refused'

/** One key, or one family of keys, of MirrorMaker 2 4.3 or an earlier version. */
export interface KeyMeaning {
  /** As MirrorMaker 2 calls it; a `*` stands for any text. */
  readonly key: string
  readonly kind: KeyKind
  /** One sentence: what it means here. */
  readonly here: string
  /** MirrorMaker 2's default, as its documentation writes it. */
  readonly byDefault?: string
  /** Values for which a key that differs does not. */
  readonly sameFor?: RegExp
  /** Values of a refused key that are no problem, in lower case. */
  readonly accepts?: readonly string[]
}

/** Makes several keys of one meaning. */
export function alike(keys: string, kind: KeyKind, here: string): readonly KeyMeaning[] {
  return keys
    .split(/\s+/)
    .filter((key) => key !== '')
    .map((key) => ({ key, kind, here }))
}

/** Finds the meaning of a key; exact ones come before families. */
export function meaningOf(meanings: readonly KeyMeaning[], key: string): KeyMeaning | undefined {
  return (
    meanings.find((meaning) => meaning.key === key) ??
    meanings.find((meaning) => meaning.key.includes('*') && familyOf(meaning.key).test(key))
  )
}

function familyOf(pattern: string): RegExp {
  return new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.+')}$`)
}
