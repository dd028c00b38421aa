import { LocalError } from './local-error.ts'

/** The environment variable that names brokers for a region which are already running: `us-east` -> `..._US_EAST`. */
export function givenBrokersVariable(alias: string): string {
  return `CAUSEWAY_LOCAL_BOOTSTRAP_${alias.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`
}

/**
 * Brokers given by hand for a region, so that none are started: `host:port`, separated by commas.
 * @returns `undefined` when none are given.
 * @throws LocalError `bad-request` when the value is not a list of `host:port`.
 */
export function givenBrokers(alias: string, env: NodeJS.ProcessEnv): readonly string[] | undefined {
  const variable = givenBrokersVariable(alias)
  const value = env[variable]
  if (value === undefined || value.trim() === '') return undefined
  const brokers = value.split(',').map((part) => part.trim())
  const wrong = brokers.find((broker) => !/^.+:\d{1,5}$/.test(broker))
  if (wrong === undefined) return brokers
  throw new LocalError(
    'bad-request',
    `${variable} holds "${wrong}".`,
    'Write host:port, several separated by commas.',
  )
}
