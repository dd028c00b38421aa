import { type ErrorPlace, KafkaError, transportError } from './errors.ts'

/**
 * Asks for a token to log in with. Whoever gives tokens may fail for a while: that is no refused log-in.
 * @throws KafkaError of kind `token`, which a retry may mend, with what the asking threw as its cause
 */
export async function askToken<Token>(ask: () => Promise<Token>, place: ErrorPlace): Promise<Token> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof KafkaError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw transportError('token', `no token to log in with (${reason})`, place, error)
  }
}
