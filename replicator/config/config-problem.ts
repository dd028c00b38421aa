import { formatPath, type Path } from '../topology/problem.ts'

/** Something wrong with, or doubtful in, a configuration file. Never holds a value that may be secret. */
export interface ConfigProblem {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number
  readonly path: Path
  readonly message: string
  /** What the user can do about it. */
  readonly hint?: string
}

/** `causeway.yaml:7:5 topics[0].matches: unknown key "matches"; did you mean "match"?` */
export function formatProblem(problem: ConfigProblem): string {
  const { file, line, column, path, message, hint } = problem
  const place = path.length === 0 ? '' : `${formatPath(path)}: `
  return `${file}:${line}:${column} ${place}${message}${hint === undefined ? '' : `; ${hint}`}`
}

/** What becomes of a key of a foreign file that is not simply obeyed. */
export interface ConfigNote {
  readonly file: string
  /** From 1. */
  readonly line: number
  /** From 1. */
  readonly column: number
  /** As written. */
  readonly key: string
  /**
   * `differs`: it means something else here. `kept`: it is read, and this version does not act on it yet.
   * `not-needed`: nothing has to be said here. `not-read`: nobody reads it, the foreign system included.
   */
  readonly kind: 'differs' | 'not-needed' | 'not-read'
  /** One sentence. */
  readonly message: string
}

const kindWords: Readonly<Record<ConfigNote['kind'], string>> = {
  differs: 'differs',
  'not-needed': 'not needed',
  'not-read': 'not read',
}

/** `mm2.properties:7 A->B.tasks.max: not needed: There are no tasks.` */
export function formatNote({ file, line, key, kind, message }: ConfigNote): string {
  return `${file}:${line} ${key}: ${kindWords[kind]}: ${message}`
}
