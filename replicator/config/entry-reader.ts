import { Secret } from '../kafka/secret.ts'
import type { Path, Problem } from '../topology/problem.ts'
import { dereference, type ReferenceSources, readTextFile } from './references.ts'

/** Reads single entries of a region's connection; problems and warnings gather in its lists. */
export interface EntryReader {
  readonly problems: Problem[]
  readonly warnings: Problem[]
  /** The entry with its references replaced; `undefined` when absent, or wrong and reported. */
  text(raw: string | undefined, path: Path): string | undefined
  /** As {@link text}, wrapped; an entry written out causes a warning. */
  secret(raw: string | undefined, path: Path): Secret | undefined
  /** The PEM text of an entry that holds it or names its file. */
  pem(raw: string | undefined, path: Path): string | undefined
}

/** Makes a reader of entries; see {@link EntryReader}. */
export function entryReader(sources: ReferenceSources): EntryReader {
  const problems: Problem[] = []
  const warnings: Problem[] = []
  const read = (raw: string | undefined, path: Path) => {
    if (raw === undefined) return undefined
    const result = dereference(raw, sources)
    if (result.ok) return result
    problems.push(...result.problems.map((problem) => ({ path, ...problem })))
    return undefined
  }
  return {
    problems,
    warnings,
    text: (raw, path) => read(raw, path)?.text,
    secret(raw, path) {
      const result = read(raw, path)
      if (result === undefined) return undefined
      if (result.references === 0) warnings.push({ path, ...writtenOut })
      return new Secret(result.text)
    },
    pem(raw, path) {
      const result = read(raw, path)
      if (result === undefined) return undefined
      if (result.text.includes('-----BEGIN')) {
        const isKey = result.text.includes('PRIVATE KEY-----')
        if (isKey && result.references === 0) warnings.push({ path, ...writtenOut })
        return result.text
      }
      if (result.references > 0 && /[\n\0]/.test(result.text)) {
        problems.push({ path, message: 'the reference holds neither a PEM text nor the name of a PEM file' })
        return undefined
      }
      return readPemFile(result.text, path, sources, problems)
    },
  }
}

const writtenOut = {
  message: 'a secret is written out in the file',
  hint: 'use ${env:NAME} or ${file:PATH}',
}

/** The PEM text of a file; what is wrong with it, and how to convert a key store of Java, goes to `problems`. */
export function readPemFile(
  name: string,
  path: Path,
  sources: ReferenceSources,
  problems: Problem[],
): string | undefined {
  const read = readTextFile(name, sources.readFile)
  if (!read.ok) {
    problems.push({ path, message: read.message, hint: read.hint })
    return undefined
  }
  if (read.text.includes('-----BEGIN')) return read.text
  const start = sources.readFile(name).subarray(0, 4)
  const magic = Buffer.from(start).toString('hex')
  if (magic === 'feedfeed' || /\.(jks|keystore|truststore)$/i.test(name)) {
    const message = `${name} is a Java key store (JKS); PEM is needed`
    const hint = `convert it: keytool -importkeystore -srckeystore ${name} -destkeystore store.p12 -deststoretype PKCS12, then openssl pkcs12 -in store.p12 -out store.pem`
    problems.push({ path, message, hint })
  } else if (magic.startsWith('3082') || /\.(p12|pfx)$/i.test(name)) {
    const message = `${name} is PKCS#12 or DER; PEM is needed`
    const hint = `convert it: openssl pkcs12 -in ${name} -out store.pem, or openssl x509 -inform der -in ${name} -out cert.pem`
    problems.push({ path, message, hint })
  } else problems.push({ path, message: `${name} holds no PEM text`, hint: 'it must have -----BEGIN lines' })
  return undefined
}
