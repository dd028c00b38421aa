import type { ReferenceSources } from '../references.ts'
import type { PropertyEntry } from './properties-source.ts'
import { followReferences, type Providers, providerKind, usualProviders } from './provider-references.ts'
import type { Findings, Place, Setting } from './setting.ts'

/** Makes a setting of a raw value: its references are followed, and what is wrong with them is reported. */
export function readSetting(
  key: string,
  raw: string,
  place: Place,
  providers: Providers,
  sources: ReferenceSources,
  { problems }: Findings,
): Setting {
  const followed = followReferences(raw, providers, sources)
  if (followed.ok) {
    return { key, value: followed.text, references: followed.references, isBroken: false, place }
  }
  problems.push(...followed.problems.map((problem) => ({ place, ...problem })))
  return { key, value: '', references: 0, isBroken: true, place }
}

/** The settings of an mm2.properties, its references followed by the providers that it declares. */
export function readSettings(
  entries: readonly PropertyEntry[],
  sources: ReferenceSources,
  findings: Findings,
): readonly Setting[] {
  const providers = new Map(usualProviders)
  for (const { key, value } of entries) {
    const name = /^config\.providers\.([^.]+)\.class$/.exec(key)?.[1]
    if (name !== undefined) providers.set(name, providerKind(value))
  }
  return entries.map(({ key, value, line, column }) => {
    const place = { line, column, path: [key] }
    // The declaration of providers is what references stand on, and has none.
    const known = key.startsWith('config.providers') ? new Map() : providers
    if (known.size === 0) return { key, value, references: 0, isBroken: false, place }
    return readSetting(key, value, place, known, sources, findings)
  })
}
