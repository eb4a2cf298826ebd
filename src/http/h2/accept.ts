import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import type { Http2Door } from './door.ts'

/** What an HTTP/2 client that needs no invitation says first (RFC 9113 §3.4). */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
/** How long a client may take to tell which protocol it speaks. */
const FIRST_BYTES_MS = 10_000

type Serve = (socket: Socket) => void

/**
 * Makes an HTTP/1 server hand connections that begin with the preface of HTTP/2 to `door` (h2c with prior knowledge). To be called
 * right after the server was made: it takes the place of the listener that Node serves connections with.
 */
export function acceptPreface(server: Server, door: Http2Door): void {
  const serveHttp1 = takeOver(server, 'connection')
  server.on('connection', (socket: Socket) => sniff(socket, serveHttp1, (found) => door.serve(found)))
}

/** Makes an HTTPS server hand connections that agreed on `h2` (ALPN) to `door`; to be called right after the server was made. */
export function acceptAlpn(server: Server, door: Http2Door): void {
  const serveHttp1 = takeOver(server, 'secureConnection')
  server.on('secureConnection', (socket: TLSSocket) => {
    if (socket.alpnProtocol === 'h2') door.serve(socket)
    else serveHttp1(socket)
  })
}

function takeOver(server: Server, event: 'connection' | 'secureConnection'): Serve {
  const [own] = server.listeners(event) as Serve[]
  if (!own) throw new Error(`a server without listener for "${event}" cannot be shared with HTTP/2`)
  server.off(event, own)
  return (socket) => own.call(server, socket)
}

function sniff(socket: Socket, serveHttp1: Serve, serveHttp2: Serve): void {
  let bytes: Buffer = Buffer.alloc(0)
  const timer = setTimeout(() => socket.destroy(), FIRST_BYTES_MS).unref()
  const onError = () => socket.destroy()
  const stop = () => {
    clearTimeout(timer)
    socket.off('data', onData).off('close', stop).off('end', stop).off('error', onError)
  }
  const onData = (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
    const known = Math.min(bytes.length, PREFACE.length)
    const mayBeHttp2 = bytes.compare(PREFACE, 0, known, 0, known) === 0
    if (mayBeHttp2 && known < PREFACE.length) return
    stop()
    if (mayBeHttp2) {
      socket.pause()
      socket.unshift(bytes)
      serveHttp2(socket)
    } else {
      // As a socket is that nothing was read from: else the stream starts to read again, on its own, what the server paused.
      socket.read(0)
      serveHttp1(socket)
      socket.emit('data', bytes)
    }
  }
  socket.on('data', onData).once('close', stop).once('end', stop).on('error', onError)
}
