/** What a checker found wrong. `check` names the promise that was broken; shrinking keeps it the same. */
export class Violation extends Error {
  readonly check: string

  constructor(check: string, detail: string) {
    super(`${check}: ${detail}`)
    this.name = 'Violation'
    this.check = check
  }
}
