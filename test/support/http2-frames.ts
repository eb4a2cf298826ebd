import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { eventually } from './watch-recording.ts'

/** Types of frames (RFC 9113 §6). */
export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const END_STREAM = 1
export const ACK = 1
export const END_HEADERS = 4

/** What stands in a frame beside its type and length. */
export interface FrameParts {
  readonly flags?: number
  readonly stream?: number
  readonly payload?: Buffer
}

/** One frame as it stands on the wire. */
export function frame(
  type: number,
  { flags = 0, stream = 0, payload = Buffer.alloc(0) }: FrameParts = {},
): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** A header field that no table takes up (RFC 7541 §6.2.2), of at most 126 bytes a part. */
export function literal(name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name, 'latin1'),
    Buffer.from([value.length]),
    Buffer.from(value, 'latin1'),
  ])
}

/** The block of a request, from the static table: `:method`, `:scheme: http`, `:authority: a` and the path. */
export function requestBlock(path = '/', method: 'GET' | 'POST' = 'GET'): Buffer {
  const start = Buffer.from([method === 'GET' ? 0x82 : 0x83, 0x86, 0x01, 1, 0x61, 0x04, path.length])
  return Buffer.concat([start, Buffer.from(path, 'latin1')])
}

/** The head of a request without body, unless `flags` say otherwise. */
export function request(stream: number, path = '/', flags = END_HEADERS | END_STREAM): Buffer {
  return frame(FRAME.headers, { flags, stream, payload: requestBlock(path) })
}

/** A number as a payload of four bytes. */
export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** A connection that says frames as the test makes them, and remembers what it is told. */
export interface FrameConnection {
  readonly socket: Socket
  readonly isClosed: boolean
  /** The code of the first GOAWAY that tells of an error, else of the last one; undefined without any. */
  readonly goaway: number | undefined
  /** Codes of the streams that were reset. */
  readonly resets: readonly number[]
  /** Streams whose answer has begun. */
  readonly answered: ReadonlySet<number>
  /** Writes, and waits while the gateway does not read; false once the connection has ended. */
  send(bytes: Buffer): Promise<boolean>
  /** Sends the same again and again until the gateway hangs up, at most `most` times. Returns how often. */
  flood(next: (round: number) => Buffer, most: number): Promise<number>
  untilClosed(withinMs?: number): Promise<void>
}

/** Connects with prior knowledge and says the preface with these settings. Lives until the test ends. */
export async function connectFrames(
  t: Pick<TestContext, 'after'>,
  port: number,
  settings: Buffer = Buffer.alloc(0),
): Promise<FrameConnection> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  t.after(() => socket.destroy())
  const seen = {
    goaway: undefined as number | undefined,
    resets: [] as number[],
    answered: new Set<number>(),
  }
  let isClosed = false
  socket.on('data', reader(seen))
  // Whatever ends the connection, `isClosed` tells.
  socket.on('error', () => socket.destroy())
  socket.on('close', () => {
    isClosed = true
  })
  const send = async (bytes: Buffer): Promise<boolean> => {
    if (isClosed || !socket.writable) return false
    if (!socket.write(bytes)) {
      await new Promise<void>((resolve) => {
        const go = () => {
          socket.off('drain', go).off('close', go)
          resolve()
        }
        socket.on('drain', go).on('close', go)
      })
    }
    return !isClosed
  }
  await send(
    Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      frame(FRAME.settings, { payload: settings }),
    ]),
  )
  return {
    socket,
    send,
    get isClosed() {
      return isClosed
    },
    get goaway() {
      return seen.goaway
    },
    resets: seen.resets,
    answered: seen.answered,
    flood: async (next, most) => {
      let round = 0
      while (round < most && (await send(next(round)))) {
        round++
        // What the gateway says must be read, too.
        await new Promise((resolve) => setImmediate(resolve))
      }
      return round
    },
    untilClosed: (withinMs = 5000) => eventually('the connection has ended', () => isClosed, withinMs),
  }
}

function reader(seen: { goaway: number | undefined; resets: number[]; answered: Set<number> }) {
  let bytes: Buffer = Buffer.alloc(0)
  return (chunk: Buffer) => {
    bytes = bytes.length === 0 ? chunk : Buffer.concat([bytes, chunk])
    while (bytes.length >= 9 && bytes.length >= 9 + bytes.readUIntBE(0, 3)) {
      const length = bytes.readUIntBE(0, 3)
      const type = bytes[3]
      if (type === FRAME.goaway) seen.goaway ||= bytes.readUInt32BE(13)
      else if (type === FRAME.reset) seen.resets.push(bytes.readUInt32BE(9))
      else if (type === FRAME.headers) seen.answered.add(bytes.readUInt32BE(5))
      bytes = bytes.subarray(9 + length)
    }
  }
}
