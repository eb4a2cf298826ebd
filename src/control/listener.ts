import Fastify, { type FastifyInstance, type FastifyPluginCallback } from 'fastify'
import type { Logger } from '../observe/logger.ts'

/** A socket, IPv6 without brackets. */
export interface SocketAddress {
  readonly ip: string
  readonly port: number
}

/** One of the small HTTP servers beside the proxy. */
export interface ControlListener {
  /** Opens the socket; resolves with where it really listens, which tells the port when 0 was asked for. Rejects when it is taken. */
  listen(address: SocketAddress): Promise<SocketAddress>
  /** Answers what is under way and closes idle connections. Idempotent. */
  close(): Promise<void>
}

/** Nobody sends these servers a body. */
const BODY_LIMIT_BYTES = 1024
const HEADERS_TIMEOUT_MS = 10_000

/**
 * A server for status, metrics or the control API, made of the given Fastify plugin. Unknown paths get 404 and failures 500, both as JSON
 * (decisions.md 6); a failure is logged and its cause not shown.
 */
export function createControlListener(plugin: FastifyPluginCallback, logger: Logger): ControlListener {
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_LIMIT_BYTES,
    requestTimeout: HEADERS_TIMEOUT_MS,
    forceCloseConnections: 'idle',
    // Liveness has to answer until the very end of a drain.
    return503OnClosing: false,
  })
  // What a request carries says nothing here, whatever its label.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, _body, parsed) => parsed(null))
  app.setNotFoundHandler((_request, reply) => reply.code(404).send({ error_msg: '404 Not Found' }))
  app.setErrorHandler((error: Error & { statusCode?: number }, request, reply) => {
    const status = error.statusCode ?? 500
    if (status < 500) return reply.code(status).send({ error_msg: error.message })
    logger.error({ err: error, method: request.method, path: request.url }, 'control request failed')
    return reply.code(500).send({ error_msg: '500 Internal Server Error' })
  })
  app.register(plugin)
  let closing: Promise<void> | undefined
  return {
    listen: (address) => listen(app, address),
    close: () => {
      closing ??= app.close()
      return closing
    },
  }
}

async function listen(app: FastifyInstance, { ip, port }: SocketAddress): Promise<SocketAddress> {
  await app.listen({ host: ip, port })
  const address = app.server.address()
  if (address === null || typeof address === 'string')
    throw new Error(`no address after listening on ${ip}:${port}`)
  return { ip: address.address, port: address.port }
}
