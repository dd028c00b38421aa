import { Secret } from '../../kafka/secret.ts'
import type { TlsSettings } from '../../kafka/settings.ts'
import type { Path, Problem } from '../../topology/problem.ts'
import { type EntryReader, readPemFile } from '../entry-reader.ts'
import { readTls } from '../tls-entry.ts'
import type { ConnectionContext } from './connection-context.ts'
import type { ConnectorSettings } from './declaration.ts'
import type { Setting } from './setting.ts'

type TlsPart = 'ca' | 'certificate' | 'key' | 'passphrase'

/** Reads Kafka's `ssl.` keys; only PEM can be used, and a key store of Java comes back with how to convert it. */
export function readJavaTls(settings: ConnectorSettings, context: ConnectionContext): TlsSettings {
  const { warnings, problems } = context.findings
  const parts: Partial<Record<TlsPart, Setting>> = {}
  const put = (part: TlsPart, setting: Setting | undefined): void => {
    if (setting !== undefined && !setting.isBroken && setting.value.trim() !== '') parts[part] ??= setting
  }
  put('ca', settings.get('ssl.truststore.certificates'))
  put('ca', pemStore(settings, 'truststore', context))
  put('certificate', settings.get('ssl.keystore.certificate.chain'))
  put('key', settings.get('ssl.keystore.key'))
  // A key store of PEM holds both.
  const store = pemStore(settings, 'keystore', context)
  put('certificate', store)
  put('key', store)
  if (parts.key !== undefined) put('passphrase', settings.get('ssl.key.password'))
  const reader = settingReader(parts, context)
  const entry = Object.fromEntries(Object.entries(parts).map(([part, { value }]) => [part, value.trim()]))
  const tls = readTls(Object.keys(entry).length === 0 ? true : entry, [], reader) ?? {}
  const placed = (problem: Problem) => {
    const setting = parts[problem.path.at(-1) as TlsPart]
    const { message, hint } = problem
    return setting === undefined
      ? []
      : [{ place: setting.place, message, ...(hint === undefined ? {} : { hint }) }]
  }
  problems.push(...reader.problems.flatMap(placed))
  warnings.push(...reader.warnings.flatMap(placed))
  return tls
}

/** The setting that names a PEM file; a store of another type is a problem. */
function pemStore(
  settings: ConnectorSettings,
  store: 'truststore' | 'keystore',
  { findings }: ConnectionContext,
): Setting | undefined {
  const location = settings.get(`ssl.${store}.location`)
  const type = settings.get(`ssl.${store}.type`)
  if (type === undefined || type.isBroken || type.value.trim().toUpperCase() === 'PEM') return location
  const name = location?.isBroken === false ? location.value.trim() : `the ${store}`
  findings.problems.push({
    place: type.place,
    message: `a ${store} of type ${/^\w+$/.test(type.value.trim()) ? type.value.trim() : 'other than PEM'}; PEM is needed`,
    hint: `convert it: keytool -importkeystore -srckeystore ${name} -destkeystore ${store}.p12 -deststoretype PKCS12, then openssl pkcs12 -in ${store}.p12 -out ${store}.pem, and give ssl.${store}.location=${store}.pem and ssl.${store}.type=PEM`,
  })
  return undefined
}

/** Reads values whose references were followed already. */
function settingReader(
  parts: Partial<Record<TlsPart, Setting>>,
  { sources }: ConnectionContext,
): EntryReader {
  const problems: Problem[] = []
  const warnings: Problem[] = []
  const warnOfSecret = (path: Path): void => {
    if (parts[path.at(-1) as TlsPart]?.references === 0) warnings.push({ path, ...secretWrittenOut })
  }
  return {
    problems,
    warnings,
    text: (raw) => raw,
    secret(raw, path) {
      if (raw === undefined) return undefined
      warnOfSecret(path)
      return new Secret(raw)
    },
    pem(raw, path) {
      if (raw === undefined) return undefined
      if (!raw.includes('-----BEGIN')) {
        const isFile = parts[path.at(-1) as TlsPart]?.key.endsWith('.location') === true
        if (isFile && !/[\n\0]/.test(raw)) return readPemFile(raw, path, sources, problems)
        problems.push({ path, message: 'holds no PEM text', hint: 'it must have -----BEGIN lines' })
        return undefined
      }
      if (raw.includes('PRIVATE KEY-----')) warnOfSecret(path)
      return inLines(raw)
    },
  }
}

/** What is said of a secret that stands in the file itself. */
export const secretWrittenOut = {
  message: 'a secret is written out in the file',
  hint: 'use a reference, such as ${env:NAME}, with a provider in config.providers',
}

/** Kafka takes PEM texts on one line, with blanks for line ends; Node does not. */
function inLines(pem: string): string {
  return pem.replaceAll(
    /(-----BEGIN ([A-Z0-9 ]+)-----)([^-:]*)(-----END \2-----)/g,
    (_, begin: string, __, body: string, end: string) =>
      `${[begin, ...body.trim().split(/\s+/), end].join('\n')}\n`,
  )
}
