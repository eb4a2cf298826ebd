import { createSocket, type Socket } from 'node:dgram'
import { lookup } from 'node:dns/promises'
import { BatchSendError } from '../batch/send-error.ts'
import { bareHost } from './bare-host.ts'

/** Where entries go over UDP. */
export interface DatagramSink {
  readonly host: string
  readonly port: number
  /** For the whole delivery, from looking the name up. */
  readonly timeoutMs: number
}

/** The longest payload of a datagram that both IPv4 and IPv6 carry. */
export const MAX_DATAGRAM_BYTES = 65_507

/**
 * Sends datagrams one after the other. Resolves when all were handed to the system, which says nothing of their arrival; rejects
 * with a {@link BatchSendError} that names the sink and counts the datagrams sent otherwise, also when it takes too long or `signal`
 * is aborted.
 */
export async function sendDatagrams(
  { host, port, timeoutMs }: DatagramSink,
  datagrams: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<void> {
  if (datagrams.length === 0) return
  const fault = new AbortController()
  const limit = AbortSignal.any([signal, fault.signal])
  const timer = setTimeout(() => fault.abort(new Error(`nothing sent within ${timeoutMs} ms`)), timeoutMs)
  let socket: Socket | undefined
  let sent = 0
  try {
    const { address, family } = await beforeAbort(lookup(bareHost(host)), limit)
    socket = createSocket(family === 6 ? 'udp6' : 'udp4').unref()
    socket.on('error', (error) => fault.abort(error))
    for (const datagram of datagrams) {
      await beforeAbort(sendOne(socket, datagram, { address, port }), limit)
      sent += 1
    }
  } catch (error) {
    throw new BatchSendError(`udp://${host}:${port}: ${(error as Error).message}`, sent)
  } finally {
    clearTimeout(timer)
    socket?.close()
  }
}

function sendOne(
  socket: Socket,
  datagram: Uint8Array,
  { address, port }: { readonly address: string; readonly port: number },
): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(datagram, port, address, (error) => (error ? reject(error) : resolve()))
  })
}

function beforeAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal.reason)
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    const rest = () => signal.removeEventListener('abort', stop)
    work.finally(rest).then(resolve, reject)
  })
}
