/**
 * `npm run build`: the package as it is published. Here: the command, compiled, and bundled into a few files, because
 * starting is part of every takeover and a thousand modules take most of a second to load.
 *
 *   npm run build [-- FOLDER]      (default: replicator/.package)
 */
import { cp, readFile, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { buildApp } from './build-app.ts'
import { bundling, unbundled } from './bundling.ts'

const root = join(import.meta.dirname, '..')
/** Files that the code looks for beside itself, by where it finds them in the bundle. */
const assets: Readonly<Record<string, string>> = {
  'cli/causeway.js': join(root, 'cli/causeway.js'),
  'cli/causeway.yaml': join(root, 'cli/demo/causeway.yaml'),
  'cli/pom.xml': join(root, 'local/pom.xml'),
  'dist/native.wasm': fileURLToPath(
    new URL('../../wasm-utils/dist/native.wasm', import.meta.resolve('@platformatic/kafka')),
  ),
}

/** Writes the package into a folder of its own. @returns the command's path, to be run by any Node from 18 on */
export async function buildCommand(folder: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  const dependencies = Object.fromEntries(unbundled.map((name) => [name, manifest.dependencies[name]]))
  await rm(folder, { recursive: true, force: true })
  await build({
    ...bundling,
    entryPoints: [join(root, 'cli/main.ts')],
    outdir: join(folder, 'cli'),
    splitting: true,
  })
  for (const [name, from] of Object.entries(assets)) await cp(from, join(folder, name))
  const { name, version, license, type, bin, engines } = manifest
  await writeFile(
    join(folder, 'package.json'),
    `${JSON.stringify({ name, version, license, type, bin, engines, dependencies }, undefined, 2)}\n`,
  )
  return join(folder, 'cli/causeway.js')
}

if (import.meta.main) {
  const folder = resolve(process.argv[2] ?? join(root, '.package'))
  const command = await buildCommand(folder)
  await buildApp(folder)
  process.stdout.write(`${command}\n`)
}
