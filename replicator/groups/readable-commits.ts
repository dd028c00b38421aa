import { KafkaError } from '../kafka/errors.ts'
import type { CommitChange, CommitSource } from './commit-source.ts'

const TOPIC_AUTHORIZATION_FAILED = 29

export interface ReadableCommitsOptions {
  readonly offsetsTopic: CommitSource
  readonly polling: CommitSource
  /** Told once, when the offsets topic may not be read. */
  readonly onPolling: (error: KafkaError) => void
}

/**
 * Reads the offsets topic where that is granted, and polls otherwise. Should the grant be taken back under way, what
 * polling finds first is what is known already: commits are told again then.
 */
export class ReadableCommits implements CommitSource {
  readonly #options: ReadableCommitsOptions

  constructor(options: ReadableCommitsOptions) {
    this.#options = options
  }

  async run(take: (changes: readonly CommitChange[]) => Promise<void>, signal: AbortSignal): Promise<never> {
    const { offsetsTopic, polling, onPolling } = this.#options
    try {
      return await offsetsTopic.run(take, signal)
    } catch (error) {
      if (!(error instanceof KafkaError) || error.code !== TOPIC_AUTHORIZATION_FAILED) throw error
      onPolling(error)
    }
    return await polling.run(take, signal)
  }
}
