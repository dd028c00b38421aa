import { type ReferenceSources, readTextFile } from '../references.ts'
import { readProperties } from './properties-source.ts'

/** What a provider of references does; `other` ones are classes that only Java can run. */
export type ProviderKind = 'file' | 'directory' | 'env' | 'other'

/** By the name before the first colon of a reference. */
export type Providers = ReadonlyMap<string, ProviderKind>

/** The names that Kafka's documentation gives them, for files that leave the declaration to a Connect worker. */
export const usualProviders: Providers = new Map([
  ['file', 'file'],
  ['env', 'env'],
  ['dir', 'directory'],
  ['directory', 'directory'],
])

const classes: Readonly<Record<string, ProviderKind>> = {
  'org.apache.kafka.common.config.provider.FileConfigProvider': 'file',
  'org.apache.kafka.common.config.provider.DirectoryConfigProvider': 'directory',
  'org.apache.kafka.common.config.provider.EnvVarConfigProvider': 'env',
}

/** What a provider's class does. */
export function providerKind(className: string): ProviderKind {
  return classes[className.trim()] ?? 'other'
}

export type Followed =
  | { readonly ok: true; readonly text: string; readonly references: number }
  | { readonly ok: false; readonly problems: readonly { readonly message: string; readonly hint: string }[] }

/**
 * Follows `${provider:path:key}` and `${provider:key}` as Kafka's ConfigTransformer does; other texts with `${` stay as
 * they are. Messages name variables, files and keys, never what they hold.
 */
export function followReferences(raw: string, providers: Providers, sources: ReferenceSources): Followed {
  const problems: { message: string; hint: string }[] = []
  let references = 0
  const text = raw.replaceAll(
    /\$\{([^}]*?):(?:([^}]*?):)?([^}]*?)\}/g,
    (_, provider: string, path: string | undefined, key: string) => {
      references++
      const found = lookUp(providers.get(provider), provider, path, key, sources)
      if (typeof found === 'string') return found
      problems.push(found)
      return ''
    },
  )
  return problems.length === 0 ? { ok: true, text, references } : { ok: false, problems }
}

type Found = string | { readonly message: string; readonly hint: string }

function lookUp(
  kind: ProviderKind | undefined,
  provider: string,
  path: string | undefined,
  key: string,
  sources: ReferenceSources,
): Found {
  switch (kind) {
    case 'env': {
      const value = sources.environment[key]
      if (value !== undefined && value !== '') return value
      const state = value === undefined ? 'not set' : 'empty'
      return { message: `the environment variable ${key} is ${state}`, hint: 'give it a value' }
    }
    case 'directory':
      return path === undefined
        ? { message: `a reference to "${provider}" without a folder`, hint: 'write ${dir:FOLDER:FILE}' }
        : wholeFile(`${path}/${key}`, sources)
    case 'file':
      return path === undefined ? wholeFile(key, sources) : keyOfFile(path, key, sources)
    case 'other':
      return {
        message: `the provider "${provider}" is a Java class that cannot be run here`,
        hint: 'put the value into a file or the environment, with the file, directory or env provider',
      }
    case undefined:
      return {
        // Not quoted: the text may be no reference at all, but a secret.
        message: 'a reference to a provider that is not known',
        hint: 'declare it in config.providers, or use env, file or dir',
      }
  }
}

function wholeFile(file: string, sources: ReferenceSources): Found {
  const read = readTextFile(file, sources.readFile)
  return read.ok ? read.text.replace(/\r?\n$/, '') : { message: read.message, hint: read.hint }
}

function keyOfFile(file: string, key: string, sources: ReferenceSources): Found {
  const read = readTextFile(file, sources.readFile)
  if (!read.ok) return { message: read.message, hint: read.hint }
  const parsed = readProperties(read.text)
  if (!parsed.ok) {
    return { message: `the file ${file} is no properties file: line ${parsed.line}`, hint: parsed.message }
  }
  const entry = parsed.entries.findLast((candidate) => candidate.key === key)
  if (entry !== undefined) return entry.value
  return { message: `the file ${file} has no key ${key}`, hint: 'add it, or name another key' }
}
