import { resolve } from 'node:path'
import type { SaslSettings } from '../kafka/settings.ts'
import type { Path } from '../topology/problem.ts'
import type { EntryReader } from './entry-reader.ts'
import type { SecurityEntry } from './schema.ts'
import { type TokenProvider, tokenFromAwsIam, tokenFromCommand, tokenFromFile } from './token-providers.ts'

type SaslEntry = NonNullable<SecurityEntry['sasl']>

/** Reads `security.sasl`. `directory`: where relative token files, and token commands, begin. */
export function readSasl(
  entry: SaslEntry,
  path: Path,
  reader: EntryReader,
  directory: string,
): SaslSettings | undefined {
  const { mechanism } = entry
  const misplaced: readonly (keyof SaslEntry)[] =
    mechanism === 'oauthbearer' ? ['username', 'password'] : ['token', 'awsIam', 'extensions']
  for (const key of misplaced) {
    if (entry[key] === undefined) continue
    reader.problems.push({ path: [...path, key], message: `"${key}" is not used by ${mechanism}` })
  }
  if (mechanism === 'oauthbearer') {
    const token = readToken(entry, path, reader, directory)
    if (token === undefined) return undefined
    const extensions = Object.entries(entry.extensions ?? {}).map(([name, raw]) => [
      name,
      reader.text(raw, [...path, 'extensions', name]) ?? '',
    ])
    return {
      mechanism,
      token,
      ...(extensions.length === 0 ? {} : { extensions: Object.fromEntries(extensions) }),
    }
  }
  for (const key of ['username', 'password'] as const) {
    if (entry[key] !== undefined) continue
    const message = `missing: ${mechanism} needs "${key}"`
    reader.problems.push({ path: [...path, key], message })
  }
  const username = reader.text(entry.username, [...path, 'username'])
  const password = reader.secret(entry.password, [...path, 'password'])
  return username === undefined || password === undefined ? undefined : { mechanism, username, password }
}

function readToken(
  entry: SaslEntry,
  path: Path,
  reader: EntryReader,
  directory: string,
): TokenProvider | undefined {
  const { token, awsIam } = entry
  const given = [token?.file, token?.command, awsIam].filter((source) => source !== undefined)
  if (given.length !== 1) {
    const message = given.length === 0 ? 'missing: a source of tokens' : 'more than one source of tokens'
    const hint = 'give one of token: { file }, token: { command } and awsIam: { region }'
    reader.problems.push({ path: given.length === 0 ? path : [...path, 'token'], message, hint })
    return undefined
  }
  if (awsIam !== undefined) {
    const region = reader.text(awsIam.region, [...path, 'awsIam', 'region'])
    return region === undefined ? undefined : tokenFromAwsIam(region)
  }
  if (token?.file !== undefined) {
    const file = reader.text(token.file, [...path, 'token', 'file'])
    return file === undefined ? undefined : tokenFromFile(resolve(directory, file))
  }
  const words = token?.command?.map((word, index) => reader.text(word, [...path, 'token', 'command', index]))
  const command = words?.filter((word) => word !== undefined) ?? []
  return command.length === words?.length ? tokenFromCommand(command, directory) : undefined
}
