/** Most topics that one request names: brokers answer a request as a whole, and frames must stay moderate. */
export const topicsPerRequest = 200

/** Cuts a list into consecutive pieces of at most `size`. */
export function* chunksOf<T>(list: readonly T[], size = topicsPerRequest): Generator<readonly T[]> {
  for (let start = 0; start < list.length; start += size) yield list.slice(start, start + size)
}

/** Asks about many topics in several requests and merges the answers. */
export async function askInChunks<T>(
  names: readonly string[],
  ask: (names: readonly string[]) => Promise<ReadonlyMap<string, T>>,
): Promise<ReadonlyMap<string, T>> {
  const answers = new Map<string, T>()
  for (const chunk of chunksOf(names)) {
    for (const [name, answer] of await ask(chunk)) answers.set(name, answer)
  }
  return answers
}
