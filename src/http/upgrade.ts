import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { destroyAtEnd } from '../proxy/tunnel.ts'
import type { RequestHandler } from './handle.ts'
import { hangUp } from './refuse-connection.ts'

type ServerSocket = Socket & { readonly _httpMessage?: ServerResponse | null }

/**
 * Takes a request that the HTTP server let go of together with its connection, since it may become a tunnel. It is handled as every
 * request is; an answer other than a tunnel is the connection's last.
 */
export function takeUpgrade(
  handle: RequestHandler,
  request: IncomingMessage,
  { socket, firstBytes }: { socket: Socket; firstBytes: Buffer },
): void {
  // The server's own listeners are gone.
  socket.on('error', () => socket.destroy())
  socket.on('drain', () => passDrain(socket))
  if (firstBytes.length > 0) socket.unshift(firstBytes)
  afterAnswers(socket, () => {
    if (!socket.writable) socket.destroy()
    else begin(handle, request, socket)
  })
}

function begin(handle: RequestHandler, request: IncomingMessage, socket: Socket): void {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.once('finish', () => {
    response.detachSocket(socket)
    response.emit('close')
    socket.off('end', destroyAtEnd)
    hangUp(socket)
  })
  // Of keep-alive, where an answer went before.
  socket.setTimeout(0)
  // Nothing is taken from the connection, but its end is noticed.
  socket.on('end', destroyAtEnd).read(0)
  handle(request, response)
}

/** Answers to requests sent ahead go first, one after the other; when they are out the connection belongs to no message. */
function afterAnswers(socket: ServerSocket, go: () => void): void {
  const current = socket._httpMessage
  if (current) current.once('finish', () => afterAnswers(socket, go))
  else go()
}

/** Node tells a response of room in its socket through a listener that went with the server's others. */
function passDrain(socket: ServerSocket): void {
  const message = socket._httpMessage
  if (message?.writableNeedDrain) message.emit('drain')
}
