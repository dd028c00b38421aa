const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Parses `500ms`, `5s`, `1.5m`, `1h` or `7d` into milliseconds; `undefined` when the text is no duration. */
export function parseDurationMs(text: string): number | undefined {
  const parts = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(text.trim())
  if (parts === null) return undefined
  const ms = Number(parts[1]) * unitMs[parts[2] as keyof typeof unitMs]
  return Number.isSafeInteger(Math.round(ms)) ? Math.round(ms) : undefined
}

/** The shortest text that {@link parseDurationMs} reads back: `90s`, `2m`, `500ms`. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    if (ms > 0 && ms % unitMs[unit] === 0) return `${ms / unitMs[unit]}${unit}`
  }
  return `${ms}ms`
}

/** A duration in words, to two digits or so: `43 min`, `6 h`, `less than a minute`. */
export function roughDuration(ms: number): string {
  if (ms < unitMs.m) return 'less than a minute'
  if (ms < 2 * unitMs.h) return `${Math.round(ms / unitMs.m)} min`
  if (ms < 2 * unitMs.d) return `${Math.round(ms / unitMs.h)} h`
  return `${Math.round(ms / unitMs.d)} days`
}

/** What to write instead, for messages about a text that is no duration. */
export const durationRule = 'write a number with ms, s, m, h or d, such as 500ms or 5s'
