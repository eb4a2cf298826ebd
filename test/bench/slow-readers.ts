import { once } from 'node:events'
import http2, { type ClientHttp2Session } from 'node:http2'
import { connect, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as wait } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import type { DoorPorts, DoorsServer } from './servers/bench-server.ts'
import { MB, withPair } from './servers/pair.ts'
import { renderTable } from './statistics.ts'

const READERS = 500
const STREAMS_PER_CONNECTION = 25
const SAMPLES = 8
const SAMPLE_MS = 1_000
const PATH = `/${10 * MB}`

/** Clients of one kind, each of which has asked for 10 MB and is paused. */
interface Readers {
  readonly bodies: readonly Duplex[]
  close(): void
}

const KINDS: Readonly<Record<string, (ports: DoorPorts) => Promise<Readers>>> = {
  'HTTP/1.1': ({ plain }) => http1Readers(() => connect(plain, '127.0.0.1'), 'connect'),
  TLS: ({ tls }) =>
    http1Readers(
      // Signed by itself, a moment ago.
      () => connectTls({ host: '127.0.0.1', port: tls, servername: 'localhost', rejectUnauthorized: false }),
      'secureConnect',
    ),
  HTTP2: ({ http2 }) => http2Readers(http2),
}

/**
 * Lets 500 clients ask for 10 MB each and take no more than a little of it a second, and prints what that does to the memory of the
 * gateway and of nginx.
 */
export async function run(cores: readonly number[]): Promise<void> {
  await withPair({ title: 'slow-readers', commands: [], cores }, async ({ gateway, nginx }) => {
    const rows: string[][] = []
    for (const [kind, openReaders] of Object.entries(KINDS)) {
      rows.push([`${kind}, Gatewright`, ...(await measure(gateway, openReaders))])
      rows.push([`${kind}, nginx`, ...(await measure(nginx, openReaders))])
    }
    const samples = Array.from({ length: SAMPLES }, (_, index) => `${((index + 1) * SAMPLE_MS) / 1_000} s`)
    console.log(`slow-readers: ${READERS} clients of 10 MB each, every one reading once a second; RSS in MiB`)
    console.log(renderTable([['', 'before', ...samples, 'KiB per reader'], ...rows]))
  })
}

async function measure(
  { ports, process: server }: DoorsServer,
  openReaders: (ports: DoorPorts) => Promise<Readers>,
): Promise<string[]> {
  const before = server.residentBytes()
  const readers = await openReaders(ports)
  const samples: number[] = []
  while (samples.length < SAMPLES) {
    for (const body of readers.bodies) readOnce(body)
    await wait(SAMPLE_MS)
    samples.push(server.residentBytes())
  }
  readers.close()
  // What is released must not be counted for the next kind.
  await wait(SAMPLE_MS)
  const mebibytes = [before, ...samples].map((bytes) => (bytes / 2 ** 20).toFixed(0))
  return [...mebibytes, ((Math.max(...samples) - before) / READERS / 1024).toFixed(0)]
}

function readOnce(body: Duplex): void {
  body.once('data', () => body.pause())
  body.resume()
}

async function http1Readers(open: () => Socket, ready: 'connect' | 'secureConnect'): Promise<Readers> {
  const bodies: Socket[] = []
  for (let i = 0; i < READERS; i++) {
    const socket = open()
    await once(socket, ready)
    socket.on('error', failed)
    socket.pause()
    socket.write(`GET ${PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
    bodies.push(socket)
  }
  return {
    bodies,
    close: () => {
      for (const socket of bodies)
        socket
          .off('error', failed)
          .on('error', () => {})
          .destroy()
    },
  }
}

async function http2Readers(port: number): Promise<Readers> {
  const sessions: ClientHttp2Session[] = []
  const bodies: Duplex[] = []
  while (bodies.length < READERS) {
    const session = http2.connect(`http://127.0.0.1:${port}`)
    await once(session, 'remoteSettings')
    sessions.push(session)
    for (let i = 0; i < STREAMS_PER_CONNECTION; i++) {
      const stream = session.request({ ':path': PATH }).on('error', failed)
      stream.pause()
      bodies.push(stream)
    }
  }
  return {
    bodies,
    close: () => {
      for (const body of bodies) body.off('error', failed).on('error', () => {})
      for (const session of sessions) session.destroy()
    },
  }
}

function failed(error: Error): never {
  throw new Error(`a slow reader lost its connection: ${error.message}`, { cause: error })
}
