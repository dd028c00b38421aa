/**
 * The package's library as it is published: compiled into one file, because Node strips no types inside node_modules,
 * with declarations beside it.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import { bundling } from './bundling.ts'
import { writeDeclarations } from './write-declarations.ts'

const root = join(import.meta.dirname, '..')

/** Adds the library to a folder that holds the command already, and to its manifest. */
export async function buildApp(folder: string): Promise<void> {
  const path = join(folder, 'package.json')
  const manifest = JSON.parse(await readFile(path, 'utf8'))
  const entry = 'app/offset-lookup'
  await build({ ...bundling, entryPoints: [join(root, `${entry}.ts`)], outfile: join(folder, `${entry}.js`) })
  await writeDeclarations(root, entry, join(folder, 'app/types'))
  const exports = {
    './app': { types: `./app/types/${entry}.d.ts`, default: `./${entry}.js` },
    './package.json': './package.json',
  }
  await writeFile(path, `${JSON.stringify({ ...manifest, exports }, undefined, 2)}\n`)
}
