import { connect as connectPlain, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { TlsCheck } from '../../../src/plugin/api.ts'
import { bareHost } from './bare-host.ts'

/** Where entries go over TCP. */
export interface StreamSink {
  readonly host: string
  readonly port: number
  /** For the whole delivery, from looking the name up to the last byte handed over. */
  readonly timeoutMs: number
  /** TLS; `serverName` is asked for and checked in place of the host. */
  readonly tls?: { readonly check: TlsCheck; readonly serverName: string | undefined } | undefined
}

/** How long the sink may take to close its side once it was handed everything; it is not asked for an answer. */
const LINGER_MS = 1000

/**
 * Delivers bytes over a connection of their own, whose end is the end of the message. Resolves when all of it was handed over and
 * the sink has closed too, or has not reset the connection for a while; rejects with an Error that names the sink when that fails,
 * takes too long, or `signal` is aborted.
 */
export function sendToStream(sink: StreamSink, bytes: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const where = `${sink.tls ? 'tls' : 'tcp'}://${sink.host}:${sink.port}`
    const socket = open(sink, where)
    let isTaken = false
    const settle = (end: () => void) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
      socket.destroy()
      end()
    }
    const succeed = () => settle(resolve)
    const fail = (reason: string) => settle(() => reject(new Error(`${where}: ${reason}`)))
    const giveUp = () => fail('given up, because the gateway stops or its configuration changed')
    let timer = setTimeout(() => fail(`nothing taken within ${sink.timeoutMs} ms`), sink.timeoutMs)
    signal.addEventListener('abort', giveUp)
    socket.on('finish', () => {
      isTaken = true
      clearTimeout(timer)
      timer = setTimeout(succeed, LINGER_MS)
    })
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.message || String(error.code)))
    socket.on('close', () => (isTaken ? succeed() : fail('closed before everything was taken')))
    // Unread bytes, as the tickets of TLS 1.3, would make a reset of the connection's end, and the sink would lose what it has not read.
    socket.resume()
    if (signal.aborted) giveUp()
    else socket.end(bytes)
  })
}

function open(sink: StreamSink, where: string): Socket {
  try {
    return connect(sink)
  } catch (error) {
    throw new Error(`${where}: ${(error as Error).message}`)
  }
}

function connect({ host: given, port, tls }: StreamSink): Socket {
  const host = bareHost(given)
  if (!tls) return connectPlain({ host, port })
  const serverName = tls.serverName ?? host
  return connectTls({
    host,
    port,
    ...tls.check,
    ...(isIP(serverName) === 0 && { servername: serverName }),
  })
}
