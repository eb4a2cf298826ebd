import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http'

/** What one request of the load has to come back with. */
export interface Expected {
  readonly status: number
  /** The answer's body, byte by byte. */
  readonly body: Buffer
}

export interface SteadyLoadOptions {
  /** `http://HOST:PORT` of the gateway. */
  readonly url: string
  /** Connections that are kept and used again and again. */
  readonly keptConnections: number
  /** Lanes whose requests each come on a connection of their own. */
  readonly freshLanes: number
  /** Requests to send. */
  readonly total: number
  /** Further ones are sent until it says so. */
  mayEnd?(): boolean
  /** Looks at each answer; says what is wrong with it. `sentAt` is the value of {@link mark} when its request was sent. */
  check?(headers: IncomingMessage['headers'], sentAt: number): string | undefined
  /** A number that is remembered with each request. */
  mark?(): number
}

export interface SteadyLoad {
  readonly sent: number
  /** The first hundred in words. */
  readonly failures: readonly string[]
  readonly failed: number
  /** Resolves when all were sent and answered, or after `stop`. */
  readonly done: Promise<void>
  stop(): void
}

const ANSWER_LIMIT_MS = 30_000
const SHOWN_FAILURES = 100
const SMALL = Buffer.from('small')
const BODIES = [0, 1, 700, 16_000, 100_000].map((size) => Buffer.alloc(size, `${size}-`))

/**
 * Requests one after the other on each connection, GET and POST in turn, to a node that answers with the body it was sent, or `small`. A
 * request fails when its connection breaks, when it takes 30 s, or when its answer is not the whole of what is expected; none is sent again.
 */
export function steadyLoad(options: SteadyLoadOptions): SteadyLoad {
  return new Lanes(options)
}

class Lanes implements SteadyLoad {
  readonly done: Promise<void>
  readonly failures: string[] = []
  failed = 0
  sent = 0
  readonly #options: SteadyLoadOptions
  readonly #kept: Agent
  #isOver = false

  constructor(options: SteadyLoadOptions) {
    this.#options = options
    this.#kept = new Agent({ keepAlive: true, maxSockets: options.keptConnections })
    const kept = Array.from({ length: options.keptConnections }, () => this.#run(this.#kept))
    const fresh = Array.from({ length: options.freshLanes }, () => this.#run(undefined))
    this.done = Promise.all([...kept, ...fresh]).then(() => this.#kept.destroy())
  }

  stop(): void {
    this.#isOver = true
  }

  async #run(agent: Agent | undefined): Promise<void> {
    const { total, mayEnd = () => true } = this.#options
    while (!this.#isOver && (this.sent < total || !mayEnd())) {
      const number = this.sent++
      const wrong = await this.#one(number, agent)
      if (wrong === undefined) continue
      this.failed++
      if (this.failures.length < SHOWN_FAILURES) this.failures.push(`request ${number}: ${wrong}`)
    }
  }

  async #one(number: number, agent: Agent | undefined): Promise<string | undefined> {
    const body = number % 2 === 1 ? BODIES[number % BODIES.length]! : undefined
    const sentAt = this.#options.mark?.() ?? 0
    const outgoing = request(`${this.#options.url}/${number}`, {
      agent: agent ?? false,
      method: body ? 'POST' : 'GET',
      timeout: ANSWER_LIMIT_MS,
      headers: { ...(agent ? {} : { connection: 'close' }), ...(body && { 'content-length': body.length }) },
    })
    outgoing.end(body)
    try {
      const { answer, received } = await answerTo(outgoing)
      if (answer.statusCode !== 200)
        return `status ${answer.statusCode}: ${received.toString().slice(0, 200)}`
      if (!received.equals(body ?? SMALL)) return `${received.length} bytes that are not those expected`
      return this.#options.check?.(answer.headers, sentAt)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      const kind = `${body ? 'POST' : 'GET'}, ${outgoing.reusedSocket ? 'kept' : 'new'} connection`
      return `${code ?? message} (${kind}): ${message}`
    }
  }
}

function answerTo(outgoing: ClientRequest): Promise<{ answer: IncomingMessage; received: Buffer }> {
  return new Promise((resolve, reject) => {
    outgoing.on('error', reject)
    outgoing.on('timeout', () => outgoing.destroy(new Error(`no answer within ${ANSWER_LIMIT_MS} ms`)))
    outgoing.on('response', (answer) => {
      const chunks: Buffer[] = []
      answer.on('data', (chunk: Buffer) => chunks.push(chunk))
      answer.on('error', reject)
      answer.on('end', () => resolve({ answer, received: Buffer.concat(chunks) }))
    })
  })
}
