import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { rawUpstream } from '../../src/testing/fake-upstream.ts'
import type { MutatedResponse } from './response-mutations.ts'
import { readResponse } from './strict-response.ts'

/** A node that answers `/bad/…` with what it is told, and `/sound/NAME` with NAME. */
export interface FaultyNode {
  readonly address: string
  /** What the next requests for `/bad` get. */
  next: MutatedResponse | undefined
  /** Requests that came on a connection that should not have been used again. */
  readonly reusedAfterFault: readonly string[]
}

/** A node that says too little for a whole response hangs up after so long. */
const PATIENCE_MS = 50

export async function startFaultyNode(t: Pick<TestContext, 'after'>): Promise<FaultyNode> {
  const node = { next: undefined as MutatedResponse | undefined, reusedAfterFault: [] as string[] }
  const address = await rawUpstream(t, (socket) => {
    socket.setNoDelay(true)
    let isSpoilt = false
    let text = ''
    socket.on('data', (data) => {
      text += data.toString('latin1')
      if (!text.includes('\r\n\r\n')) return
      const [method = '', path = ''] = text.split(' ')
      text = ''
      if (isSpoilt) node.reusedAfterFault.push(path)
      const [, kind, name = ''] = path.split('/')
      if (kind === 'sound') socket.write(soundResponse(name))
      else isSpoilt ||= answer(socket, method, node.next!)
    })
  })
  return Object.assign(node, { address })
}

function soundResponse(name: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${name.length}\r\n\r\n${name}`
}

/** Returns whether nobody must use the connection again. */
function answer(socket: Socket, method: string, { bytes, cuts, closes }: MutatedResponse): boolean {
  const read = readResponse(bytes, { method, isClosed: false })
  const isWhole = typeof read !== 'string'
  // What stands behind a response comes together with its end: later, it would be an answer to the next request.
  const pieces = [0, ...cuts.filter((cut) => !isWhole || cut < read.end)]
  const write = (index: number) => {
    if (socket.destroyed) return
    socket.write(bytes.slice(pieces[index], pieces[index + 1]), 'latin1')
    if (index + 1 < pieces.length) setImmediate(write, index + 1)
    else if (closes) socket.end()
    else if (!isWhole) setTimeout(() => socket.end(), PATIENCE_MS).unref()
  }
  write(0)
  return !isWhole || read.isLast || read.end !== bytes.length
}

/** What a client got: a whole response, or none. */
export type Received = { readonly status: number; readonly body: string } | 'aborted'

/** A client with one connection at a time, which it keeps as long as it can. */
export class StrictClient {
  readonly #port: number
  #socket: Socket | undefined

  constructor(t: Pick<TestContext, 'after'>, port: number) {
    this.#port = port
    t.after(() => this.#socket?.destroy())
  }

  /** Rejects when what comes is not HTTP, or more than was asked for. */
  ask(method: string, path: string): Promise<Received> {
    this.#socket ??= connect(this.#port, '127.0.0.1')
    const socket = this.#socket
    return new Promise((resolve, reject) => {
      let text = ''
      const finish = (received: Received | Error, isReusable: boolean) => {
        socket.off('data', onData).off('close', onClose).off('error', onError)
        if (!isReusable) {
          this.#socket = undefined
          socket.on('error', () => {}).destroy()
        }
        if (received instanceof Error) reject(received)
        else resolve(received)
      }
      const look = (isClosed: boolean) => {
        const read = readResponse(text, { method, isClosed: false })
        if (read === 'fault') finish(new Error(`not HTTP: ${JSON.stringify(text)}`), false)
        else if (read !== 'incomplete') {
          const isExtra = read.end < text.length
          const { status, body } = read
          if (isExtra) finish(new Error(`more than one answer: ${JSON.stringify(text)}`), false)
          else finish({ status, body }, !isClosed && !/\r\nconnection: close\r\n/i.test(text))
        } else if (isClosed) finish('aborted', false)
      }
      const onData = (chunk: Buffer) => {
        text += chunk.toString('latin1')
        look(false)
      }
      const onClose = () => look(true)
      const onError = () => socket.destroy()
      socket.on('data', onData).on('close', onClose).on('error', onError)
      socket.write(`${method} ${path} HTTP/1.1\r\nHost: fuzz.test\r\n\r\n`)
    })
  }
}
