import { formatProblem } from '../../../replicator/config/config-problem.ts'
import { type LoadedConfig, loadConfig } from '../../../replicator/config/load-config.ts'

/** Loads a causeway.yaml that lies, with the files beside it, only in memory. */
export function load(
  text: string,
  around: {
    readonly files?: Readonly<Record<string, string | Uint8Array>>
    readonly environment?: Readonly<Record<string, string>>
  } = {},
): LoadedConfig {
  const files = new Map<string, string | Uint8Array>([['/etc/c/causeway.yaml', text]])
  for (const [name, content] of Object.entries(around.files ?? {})) files.set(`/etc/c/${name}`, content)
  return loadConfig({
    path: '/etc/c/causeway.yaml',
    environment: around.environment ?? {},
    readFile(path) {
      const content = files.get(path)
      if (content === undefined) throw Object.assign(new Error('not there'), { code: 'ENOENT' })
      return Buffer.from(content)
    },
  })
}

/** The problems as printed, without the file's folder. */
export function problemsOf(result: LoadedConfig): string[] {
  return result.ok ? [] : result.problems.map((problem) => formatProblem(problem).replace('/etc/c/', ''))
}

/** The warnings as printed, without the file's folder. */
export function warningsOf(result: LoadedConfig): string[] {
  return result.ok ? result.warnings.map((warning) => formatProblem(warning).replace('/etc/c/', '')) : []
}

/** A sound file; what a test is about goes in its place. */
export const sound = {
  head: 'name: payments\npattern: active-passive\n',
  regions:
    'regions:\n  us-east: { role: active, bootstrap: [us:9092] }\n  eu-west: { role: passive, bootstrap: [eu:9092] }\n',
  topics: 'topics: [{ name: payments }]\n',
} as const

/** A sound file whose source region has the given `security`, in flow style, from line 4, column 67 on. */
export function withSecurity(security: string): string {
  const source = `  us-east: { role: active, bootstrap: [us.example:9092], security: ${security} }\n`
  return `${sound.head}regions:\n${source}  eu-west: { role: passive, bootstrap: [eu:9092] }\n${sound.topics}`
}
