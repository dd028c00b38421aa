import assert from 'node:assert/strict'
import { formatNote, formatProblem } from '../../../../replicator/config/config-problem.ts'
import {
  type CausewayConfig,
  type LoadedConfig,
  loadConfig,
} from '../../../../replicator/config/load-config.ts'

/** Files and variables around a configuration; files lie in its folder. */
export interface Around {
  readonly files?: Readonly<Record<string, string | Uint8Array>>
  readonly environment?: Readonly<Record<string, string>>
}

/** Loads a file of MirrorMaker 2 that lies, with the files beside it, only in memory. */
export function loadFile(name: string, text: string | Uint8Array, around: Around = {}): LoadedConfig {
  const files = new Map<string, string | Uint8Array>([[`/etc/mm2/${name}`, text]])
  for (const [file, content] of Object.entries(around.files ?? {})) files.set(`/etc/mm2/${file}`, content)
  return loadConfig({
    path: `/etc/mm2/${name}`,
    environment: around.environment ?? {},
    readFile(path) {
      const content = files.get(path)
      if (content === undefined) throw Object.assign(new Error('not there'), { code: 'ENOENT' })
      return Buffer.from(content)
    },
  })
}

/** Two clusters and a flow between them, in lines 1 to 4. */
export const base = `clusters = A, B
A.bootstrap.servers = a.example:9092
B.bootstrap.servers = b.example:9092
A->B.enabled = true
`

/** {@link base} with more lines, from line 5 on. */
export function loadLines(lines: string, around: Around = {}): LoadedConfig {
  return loadFile('mm2.properties', base + lines, around)
}

/** Of a file that must be sound. */
export function configOf(loaded: LoadedConfig): CausewayConfig {
  assert.ok(loaded.ok, problemsOf(loaded).join('\n'))
  return loaded.config
}

/** The problems as printed, without the file's folder. */
export function problemsOf(loaded: LoadedConfig): string[] {
  return loaded.ok ? [] : loaded.problems.map((problem) => formatProblem(problem).replace('/etc/mm2/', ''))
}

/** The warnings as printed, without the file's folder. */
export function warningsOf(loaded: LoadedConfig): string[] {
  return loaded.ok ? loaded.warnings.map((problem) => formatProblem(problem).replace('/etc/mm2/', '')) : []
}

/** The notes as printed, without the file's folder, and without those on what no key says. */
export function notesOf(loaded: LoadedConfig): string[] {
  const general = /^Causeway keeps progress|^It is not said:/
  if (!loaded.ok) return []
  return loaded.notes
    .filter(({ message }) => !general.test(message))
    .map((note) => formatNote(note).replace('/etc/mm2/', ''))
}
