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
