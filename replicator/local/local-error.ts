/** What kind of thing this machine lacks or refused. */
export type LocalProblem =
  | 'java-missing'
  | 'maven-missing'
  | 'docker-missing'
  | 'download-failed'
  | 'port-taken'
  | 'disk-full'
  | 'broker-failed'
  | 'not-ready'
  | 'bad-request'

/**
 * A local cluster could not be had. The message says what failed and where; `remedy` what the user can do about it.
 * `retriable` is true where the same call may succeed later without anyone changing anything.
 */
export class LocalError extends Error {
  readonly problem: LocalProblem
  readonly remedy: string
  readonly retriable: boolean

  constructor(
    problem: LocalProblem,
    what: string,
    remedy: string,
    options: { readonly retriable?: boolean; readonly cause?: unknown } = {},
  ) {
    super(`${what}\n${remedy}`, options.cause === undefined ? {} : { cause: options.cause })
    this.name = 'LocalError'
    this.problem = problem
    this.remedy = remedy
    this.retriable = options.retriable ?? false
  }
}

/** Turns "no space left" from the file system into a {@link LocalError}; anything else stays as it is. */
export function explainFileError(error: unknown, folder: string): unknown {
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error
  return new LocalError(
    'disk-full',
    `No space left on the disk that holds ${folder}.`,
    'Free some space, or point TMPDIR (brokers) or XDG_CACHE_HOME (Kafka itself) at another disk.',
    { cause: error },
  )
}
