import { Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'

/** JSON and a newline, as every answer of the control API (contract §8.1). */
export function sendJson(reply: FastifyReply, body: unknown): FastifyReply {
  return reply.type('application/json').send(`${JSON.stringify(body)}\n`)
}

export function refuse(reply: FastifyReply, status: number, message: string): FastifyReply {
  return sendJson(reply.code(status), { error_msg: message })
}

/** So many items are written before requests of the proxy get their turn. */
const BATCH = 100

/** An array, written in pieces: with thousands of items the process would do nothing else meanwhile. */
export function sendList(reply: FastifyReply, items: Iterable<unknown>): FastifyReply {
  return reply.type('application/json').send(Readable.from(piecesOf(items)))
}

async function* piecesOf(items: Iterable<unknown>): AsyncGenerator<string> {
  let count = 0
  let piece = '['
  for (const item of items) {
    if (count > 0) piece += ','
    piece += JSON.stringify(item)
    if (++count % BATCH > 0) continue
    yield piece
    piece = ''
    await new Promise((resolve) => setImmediate(resolve))
  }
  yield `${piece}]\n`
}
