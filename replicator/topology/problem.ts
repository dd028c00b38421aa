/** Keys and indexes from the root of an input to one place in it: `['topics', 0, 'match']`. */
export type Path = readonly (string | number)[]

/** Something wrong with an input, said where it was written. */
export interface Problem {
  readonly path: Path
  readonly message: string
  /** What the user can do about it. */
  readonly hint?: string
  /** Other places that decide whether this is a problem at all; while they are unreadable it is not reported. */
  readonly dependsOn?: readonly Path[]
}

/** `topics[0].match`; the root is the empty string. */
export function formatPath(path: Path): string {
  let text = ''
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`
    else text += text === '' ? step : `.${step}`
  }
  return text
}
