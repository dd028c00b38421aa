/**
 * Waits for work that cannot be stopped only as long as the signal allows; what becomes of the work afterwards is
 * ignored.
 * @throws the signal's reason
 */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => {})
  signal.throwIfAborted()
  let onAbort = () => {}
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
  })
  try {
    return await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** A signal that aborts with whichever of the given ones does first; release it when the work has ended. */
export function linkSignals(...signals: readonly (AbortSignal | undefined)[]): {
  readonly signal: AbortSignal
  readonly release: () => void
} {
  const link = new AbortController()
  const releases: (() => void)[] = []
  for (const signal of signals) {
    if (signal === undefined) continue
    if (signal.aborted) link.abort(signal.reason)
    const onAbort = () => link.abort(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    releases.push(() => signal.removeEventListener('abort', onAbort))
  }
  return {
    signal: link.signal,
    release: () => {
      for (const release of releases) release()
    },
  }
}
