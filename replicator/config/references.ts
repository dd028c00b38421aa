/** Where references are looked up; paths as written, relative ones to the configuration file. */
export interface ReferenceSources {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** @throws when the file cannot be read, with Node's `code`. */
  readonly readFile: (path: string) => Uint8Array
}

export type Dereferenced =
  | { readonly ok: true; readonly text: string; readonly references: number }
  | { readonly ok: false; readonly problems: readonly { readonly message: string; readonly hint: string }[] }

/**
 * Replaces `${env:NAME}` and `${file:PATH}` in a text; `$${` stands for a literal `${`. One line end at the end of a
 * file is not part of its value. Messages name variables and files, never what they hold.
 */
export function dereference(raw: string, sources: ReferenceSources): Dereferenced {
  const problems: { message: string; hint: string }[] = []
  let references = 0
  const text = raw.replaceAll(
    /\$\$\{|\$\{(?:([a-z]+):([^}]*)\})?/g,
    (whole: string, kind?: string, name?: string) => {
      if (whole === '$${') return '${'
      references++
      const found = lookUp(kind, name ?? '', sources)
      if (typeof found === 'string') return found
      problems.push(found)
      return ''
    },
  )
  return problems.length === 0 ? { ok: true, text, references } : { ok: false, problems }
}

function lookUp(
  kind: string | undefined,
  name: string,
  sources: ReferenceSources,
): string | { message: string; hint: string } {
  if (kind === 'env') {
    const value = sources.environment[name]
    if (value === undefined) {
      return { message: `the environment variable ${name} is not set`, hint: 'set it, or use ${file:PATH}' }
    }
    return value === ''
      ? { message: `the environment variable ${name} is empty`, hint: 'give it a value' }
      : value
  }
  if (kind === 'file') {
    const read = readTextFile(name, sources.readFile)
    return read.ok ? read.text.replace(/\r?\n$/, '') : read
  }
  return {
    message: 'a reference that is not understood',
    hint: 'write ${env:NAME} or ${file:PATH}, or $${ for a literal ${',
  }
}

/** Reads a text file, or says in a user's terms why it cannot be read. */
export function readTextFile(
  path: string,
  readFile: ReferenceSources['readFile'],
): { ok: true; text: string } | { ok: false; message: string; hint: string } {
  try {
    return { ok: true, text: Buffer.from(readFile(path)).toString('utf8') }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    if (code === 'ENOENT') {
      const hint = 'relative paths begin at the folder of the configuration file'
      return { ok: false, message: `the file ${path} does not exist`, hint }
    }
    if (code === 'EACCES') {
      return { ok: false, message: `the file ${path} may not be read`, hint: 'check its permissions' }
    }
    return { ok: false, message: `the file ${path} cannot be read (${code})`, hint: 'name a readable file' }
  }
}
