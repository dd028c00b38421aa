/** The long link in a process of its own, so that its CPU and its pauses are neither the replicator's nor the meter's. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { pathToFileURL } from 'node:url'
import { type DelayProxy, type DelayProxyOptions, startDelayProxy } from './delay-proxy.ts'

/**
 * Starts a delay proxy in a child process, which ends with this one.
 *
 * @throws Error if it could not listen
 */
export async function forkDelayProxy(options: DelayProxyOptions): Promise<DelayProxy> {
  const child = fork(import.meta.filename, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = once(child, 'exit')
  child.send(options)
  const [port] = await Promise.race([
    once(child, 'message') as Promise<[number]>,
    ended.then(() => Promise.reject(new Error('the delay proxy did not start'))),
  ])
  return {
    port,
    async close() {
      child.kill('SIGKILL')
      await ended
    },
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.on('SIGINT', () => {})
  process.once('disconnect', () => process.exit())
  process.once('message', async (options: DelayProxyOptions) => {
    process.send?.((await startDelayProxy(options)).port)
  })
}
