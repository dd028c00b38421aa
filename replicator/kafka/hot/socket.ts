import net from 'node:net'
import tls from 'node:tls'
import { connectionFailure } from '../connection-failure.ts'
import { tlsOptions } from '../connection-options.ts'
import { type ErrorPlace, type KafkaError, transportError } from '../errors.ts'
import type { TlsSettings } from '../settings.ts'

export interface SocketRequest {
  readonly host: string
  readonly port: number
  readonly tls: TlsSettings | undefined
  readonly place: ErrorPlace
}

/** Where a socket puts what it reads. */
export interface ReadTarget {
  nextBuffer(): Buffer
  /** Bytes were read to the buffer given last. */
  received(bytes: number): void
}

/**
 * Opens a socket, encrypted if asked for, that reads straight into the target's buffers.
 * @throws KafkaError `connection`, `tls` or the signal's reason
 */
export async function openSocket(
  request: SocketRequest,
  target: ReadTarget,
  signal: AbortSignal,
): Promise<net.Socket> {
  signal.throwIfAborted()
  const onread = {
    buffer: () => target.nextBuffer(),
    callback: (bytes: number) => {
      target.received(bytes)
      return true
    },
  }
  const { host, port } = request
  const socket =
    request.tls === undefined
      ? net.connect({ host, port, noDelay: true, keepAlive: true, onread })
      : tls.connect({ host, port, ...tlsOptions(request.tls, host), onread } as tls.ConnectionOptions)
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const ready = request.tls === undefined ? 'connect' : 'secureConnect'
  const onAbort = (): void => reject(signal.reason)
  const onError = (error: Error): void => reject(socketError(request, error))
  const onClose = (): void =>
    reject(transportError('connection', 'The broker closed the connection', request.place))
  socket.once(ready, resolve)
  socket.once('error', onError)
  socket.once('close', onClose)
  signal.addEventListener('abort', onAbort)
  try {
    await promise
    socket.setNoDelay(true)
    return socket
  } catch (error) {
    socket.on('error', () => {})
    socket.destroy()
    throw error
  } finally {
    socket.off(ready, resolve)
    socket.off('error', onError)
    socket.off('close', onClose)
    signal.removeEventListener('abort', onAbort)
  }
}

/** Tells problems of names, of TLS (which a retry does not mend) and of the network apart. */
export function socketError({ tls, place }: SocketRequest, error: Error): KafkaError {
  return connectionFailure(error, { place, tls: tls !== undefined, sasl: false, answered: true })
}
