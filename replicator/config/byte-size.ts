const unitBytes = { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 } as const

/** Parses `96MiB`, `64 KiB` or `1.5GiB` into bytes; `undefined` when the text is no size. */
export function parseByteSize(text: string): number | undefined {
  const parts = /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB)$/.exec(text.trim())
  if (parts === null) return undefined
  const bytes = Math.round(Number(parts[1]) * unitBytes[parts[2] as keyof typeof unitBytes])
  return Number.isSafeInteger(bytes) ? bytes : undefined
}

/** What to write instead, for messages about a text that is no size. */
export const byteSizeRule = 'write a number with B, KiB, MiB or GiB, such as 96MiB'
