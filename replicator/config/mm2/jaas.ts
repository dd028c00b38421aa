/** The login module of a `sasl.jaas.config` with its options. */
export type JaasEntry =
  | { readonly ok: true; readonly module: string; readonly options: ReadonlyMap<string, string> }
  | { readonly ok: false; readonly reason: string }

type Token = { readonly kind: 'word' | 'text'; readonly text: string } | { readonly kind: '=' | ';' }

/**
 * Reads `org.apache...ScramLoginModule required username="a" password="b";` as Kafka's JaasConfig does. Reasons never
 * quote the text, which holds secrets.
 */
export function parseJaas(text: string): JaasEntry {
  const tokens = tokensOf(text)
  if (tokens === undefined) return { ok: false, reason: 'a quotation mark is missing' }
  const [module, flag, ...rest] = tokens
  if (module?.kind !== 'word') return { ok: false, reason: 'no login module is named' }
  const flags = ['required', 'requisite', 'sufficient', 'optional']
  if (flag?.kind !== 'word' || !flags.includes(flag.text.toLowerCase())) {
    return { ok: false, reason: 'behind the login module, "required" is missing' }
  }
  const options = new Map<string, string>()
  while (rest.length > 0 && rest[0]?.kind !== ';') {
    const [name, sign, value] = rest.splice(0, 3)
    const isOption = name !== undefined && 'text' in name && sign?.kind === '=' && value !== undefined
    if (!isOption || !('text' in value)) return { ok: false, reason: 'an option is not written name="value"' }
    options.set(name.text, value.text)
  }
  if (rest.length === 0) return { ok: false, reason: 'the semicolon at the end is missing' }
  if (rest.length > 1) return { ok: false, reason: 'more than one login module is named' }
  return { ok: true, module: module.text, options }
}

function tokensOf(text: string): Token[] | undefined {
  const tokens: Token[] = []
  const pattern = /\s+|"((?:[^"\\\n]|\\[\s\S])*)"|'((?:[^'\\\n]|\\[\s\S])*)'|([=;])|([^\s="';]+)/y
  while (pattern.lastIndex < text.length) {
    const found = pattern.exec(text)
    if (found === null) return undefined
    const [, double, single, sign, word] = found
    const quoted = double ?? single
    if (quoted !== undefined) tokens.push({ kind: 'text', text: unescaped(quoted) })
    else if (sign === '=' || sign === ';') tokens.push({ kind: sign })
    else if (word !== undefined) tokens.push({ kind: 'word', text: word })
  }
  return tokens
}

const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  f: '\f',
  b: '\b',
  a: '\u0007',
  v: '\u000b',
}

/** The escapes of java.io.StreamTokenizer. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-3]?[0-7]{1,2}|[\s\S])/g, (_, code: string) =>
    /^[0-7]/.test(code) ? String.fromCharCode(Number.parseInt(code, 8)) : (escapes[code] ?? code),
  )
}
