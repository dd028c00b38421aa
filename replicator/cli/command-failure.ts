/** A command ends with this exit code and this message, and without a stack trace. */
export class CommandFailure extends Error {
  readonly exitCode: number

  constructor(exitCode: number, message: string, options: ErrorOptions = {}) {
    super(message, options)
    this.name = 'CommandFailure'
    this.exitCode = exitCode
  }
}
