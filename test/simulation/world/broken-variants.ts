import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { join } from 'node:path'

/**
 * The product with one thing wrong, to see that the simulation would notice. A variant replaces text of one module
 * while it is loaded; text that is not there any more throws, so that no variant outlives what it breaks.
 */
export interface BrokenVariant {
  readonly name: string
  /** What an inattentive change could have done. */
  readonly story: string
  /** Below `replicator/`. */
  readonly file: string
  readonly replace: readonly (readonly [from: string, to: string])[]
  /** It must be found within this many seeds, from 1 on. */
  readonly seedsMax: number
}

export const brokenVariants: readonly BrokenVariant[] = []

const product = join(import.meta.dirname, '..', '..', '..', 'replicator')

/** The variant's text of its file. @throws Error when what it replaces is not there exactly once */
export function brokenText({ name, file, replace }: BrokenVariant): string {
  let text = readFileSync(join(product, file), 'utf8')
  for (const [from, to] of replace) {
    const parts = text.split(from)
    if (parts.length !== 2)
      throw new Error(`variant ${name}: ${file} holds ${parts.length - 1} times: ${from}`)
    text = parts.join(to)
  }
  return text
}

/** Makes every later import in this thread see the broken module. @throws Error when there is no such variant */
export function breakProduct(name: string): void {
  const variant = brokenVariants.find((candidate) => candidate.name === name)
  if (variant === undefined) {
    throw new Error(`no variant ${name}; there are: ${brokenVariants.map((known) => known.name).join(', ')}`)
  }
  const source = brokenText(variant)
  const suffix = `/replicator/${variant.file}`
  registerHooks({
    load: (url, context, nextLoad) =>
      url.endsWith(suffix)
        ? { format: 'module-typescript', source, shortCircuit: true }
        : nextLoad(url, context),
  })
}
