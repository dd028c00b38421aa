import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import ts from 'typescript'

/**
 * Writes an entry's declarations, and those that they speak of: nothing else, for what is inside of the library may
 * speak of packages that its users have not got.
 *
 * @param root where sources are; declarations are laid out below `folder` as sources are below it
 * @param entry a module, without its extension
 * @throws Error when the sources do not compile, or a declaration speaks of a package
 */
export async function writeDeclarations(root: string, entry: string, folder: string): Promise<void> {
  const emitted = emit(root, entry)
  const wanted = [`${entry}.d.ts`]
  const written = new Set<string>()
  for (let name = wanted.pop(); name !== undefined; name = wanted.pop()) {
    if (written.has(name)) continue
    written.add(name)
    const text = emitted.get(name)
    if (text === undefined) throw new Error(`${name} was not made, although ${entry} speaks of it`)
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, text.replaceAll(specifiers, withExtension('.js')))
    for (const [, , specifier = ''] of text.matchAll(specifiers)) {
      if (specifier.startsWith('node:')) continue
      if (!specifier.startsWith('.'))
        throw new Error(`${name} speaks of ${specifier}, which is in the bundle`)
      wanted.push(join(dirname(name), specifier).replace(/\.ts$/, '.d.ts'))
    }
  }
}

/** `from './x.ts'` and `import("./x.ts")` in declarations, which have no other text in quotes behind such words. */
const specifiers = /(\bfrom |\bimport\()["']([^"']+)["']/g

const withExtension = (extension: string) => (_: string, before: string, specifier: string) =>
  `${before}'${specifier.startsWith('.') ? specifier.replace(/\.ts$/, extension) : specifier}'`

/** Declarations of a module and of all that it imports, by their names below the root. */
function emit(root: string, entry: string): ReadonlyMap<string, string> {
  const configPath = join(root, '../tsconfig.json')
  const { config } = ts.readConfigFile(configPath, ts.sys.readFile)
  const { tsBuildInfoFile: _, ...options } = ts.parseJsonConfigFileContent(
    config,
    ts.sys,
    dirname(configPath),
  ).options
  const program = ts.createProgram([join(root, `${entry}.ts`)], {
    ...options,
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    incremental: false,
    rootDir: root,
    outDir: root,
    noEmitOnError: true,
  })
  const emitted = new Map<string, string>()
  const { diagnostics } = program.emit(undefined, (path, text) => emitted.set(relative(root, path), text))
  const [first] = ts.sortAndDeduplicateDiagnostics([...diagnostics])
  if (first !== undefined)
    throw new Error(`${entry}: ${ts.flattenDiagnosticMessageText(first.messageText, ' ')}`)
  return emitted
}
