import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

/** One answer, and when and after how long it came. */
export interface Answer {
  readonly status: number
  /** Since the load began. */
  readonly atMs: number
  readonly latencyMs: number
}

export interface OpenLoadResult {
  readonly answers: readonly Answer[]
  readonly seconds: number
  /** Requests whose time came while every connection waited for an answer. */
  readonly unsent: number
}

const TICK_MS = 1
/** How long the last answers are waited for. */
const LAST_ANSWERS_MS = 3_000

/** Connections that each carry one request at a time, and are opened anew when the server closes them. */
export class Clients {
  readonly #port: number
  readonly #request: string
  readonly #idle: Client[] = []
  readonly #all = new Set<Client>()
  #onAnswer: (status: number, latencyMs: number, client: Client) => void = () => {}

  constructor(port: number, path: string) {
    this.#port = port
    this.#request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n`
  }

  async open(count: number): Promise<void> {
    while (this.#all.size < count) {
      const client = new Client(this.#port, {
        onAnswer: (status, latencyMs) => this.#onAnswer(status, latencyMs, client),
        onOpen: () => this.#idle.push(client),
      })
      this.#all.add(client)
      await client.opened()
    }
  }

  close(): void {
    for (const client of this.#all) client.close()
  }

  /** Every connection sends its next request as soon as it has its answer. */
  async saturate(seconds: number): Promise<OpenLoadResult> {
    const answers: Answer[] = []
    const startMs = performance.now()
    const endMs = startMs + seconds * 1000
    this.#onAnswer = (status, latencyMs, client) => {
      const nowMs = performance.now()
      if (nowMs < endMs) {
        answers.push({ status, atMs: nowMs - startMs, latencyMs })
        client.send(this.#request)
      } else this.#idle.push(client)
    }
    for (const client of this.#idle.splice(0)) client.send(this.#request)
    await wait(seconds * 1000)
    await this.#untilIdle()
    return { answers, seconds, unsent: 0 }
  }

  /** Sends at a fixed rate, whatever the server does about it, as long as there is a connection to send on. */
  async send(perSecond: number, seconds: number): Promise<OpenLoadResult> {
    const answers: Answer[] = []
    const startMs = performance.now()
    let sent = 0
    let unsent = 0
    this.#onAnswer = (status, latencyMs, client) => {
      answers.push({ status, atMs: performance.now() - startMs, latencyMs })
      this.#idle.push(client)
    }
    for (;;) {
      const elapsedMs = performance.now() - startMs
      if (elapsedMs >= seconds * 1000) break
      for (const due = (elapsedMs * perSecond) / 1000; sent < due; sent++) {
        const client = this.#idle.shift()
        if (client) client.send(this.#request)
        else unsent++
      }
      await wait(TICK_MS)
    }
    await this.#untilIdle()
    return { answers, seconds, unsent }
  }

  async #untilIdle(): Promise<void> {
    const deadline = performance.now() + LAST_ANSWERS_MS
    while (this.#idle.length < this.#all.size && performance.now() < deadline) await wait(10)
  }
}

interface ClientEvents {
  onAnswer(status: number, latencyMs: number): void
  onOpen(): void
}

class Client {
  readonly #port: number
  readonly #events: ClientEvents
  #socket: Socket
  #text = ''
  #sentMs = 0
  #isClosed = false

  constructor(port: number, events: ClientEvents) {
    this.#port = port
    this.#events = events
    this.#socket = this.#connect()
  }

  async opened(): Promise<void> {
    if (this.#socket.connecting) await once(this.#socket, 'connect')
  }

  send(request: string): void {
    this.#text = ''
    this.#sentMs = performance.now()
    this.#socket.write(request, 'latin1')
  }

  close(): void {
    this.#isClosed = true
    this.#socket.destroy()
  }

  #connect(): Socket {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true })
    socket.setEncoding('latin1')
    socket.on('connect', () => this.#events.onOpen())
    socket.on('data', (text: string) => this.#read(text))
    // An error is followed by 'close'.
    socket.on('error', () => {})
    socket.on('close', () => {
      if (!this.#isClosed) this.#socket = this.#connect()
    })
    return socket
  }

  #read(text: string): void {
    this.#text += text
    const end = this.#text.indexOf('\r\n\r\n')
    if (end < 0) return
    const length = Number(/content-length: (\d+)/i.exec(this.#text)?.[1] ?? 0)
    if (this.#text.length < end + 4 + length) return
    this.#events.onAnswer(Number(this.#text.slice(9, 12)), performance.now() - this.#sentMs)
  }
}
