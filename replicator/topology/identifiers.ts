import type { FlowId, RegionAlias } from './model.ts'

// As a DNS label (RFC 1123): aliases become parts of host names, Kubernetes objects and topic names.
const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/
const labelRule = '1 to 63 lowercase letters, digits and dashes, beginning and ending with a letter or digit'

/**
 * Makes a region's alias.
 * @throws RangeError when the text is no alias; see {@link regionAliasProblem}.
 */
export function regionAlias(text: string): RegionAlias {
  const problem = regionAliasProblem(text)
  if (problem !== undefined) throw new RangeError(problem)
  return text as RegionAlias
}

/** Why the text cannot be a region's alias, or `undefined`. */
export function regionAliasProblem(text: string): string | undefined {
  return label.test(text) ? undefined : `"${text}" cannot name a region: use ${labelRule}`
}

/** Why the text cannot be a topology's name, or `undefined`. Names become parts of internal topic names. */
export function topologyNameProblem(text: string): string | undefined {
  return label.test(text) ? undefined : `"${text}" cannot name a topology: use ${labelRule}`
}

/** `us-east->eu-west`. */
export function flowId(source: RegionAlias, target: RegionAlias): FlowId {
  return `${source}->${target}` as FlowId
}
