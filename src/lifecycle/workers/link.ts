/** One end of the pipe between the primary process and a worker. */
export interface Channel {
  /** `done` is called once the message is on its way, with an error when it is not. */
  send(message: unknown, done: (error: Error | null) => void): void
  onMessage(listener: (message: unknown) => void): void
  /** Called once, when the other process is gone or does not listen any more. */
  onClose(listener: () => void): void
}

/** Answers what the other side asks; told things have no answer. May return a promise. */
// biome-ignore lint/suspicious/noExplicitAny: both ends are this program; each topic has one sender, whose types its handler names
export type Handler = (body: any) => unknown

/** Topic, number of the question (0 for what is told), body. */
type Frame = [topic: string, id: number, body: unknown]

interface Outstanding {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** Questions without an answer at one time; more are refused at once. */
const MAX_OUTSTANDING = 10_000
/** Frames that wait because the other side does not read; what is told beyond is lost, see {@link LinkOptions}. */
const MAX_QUEUED = 20_000
/** Words told at once that are not on their way yet. */
const MAX_AT_ONCE = 1000
/** Frames in one message, so that a long list does not keep the other side from its requests. */
const MAX_FRAMES = 500
const ANSWER = '='
const FAILURE = '!'

export interface LinkOptions {
  /** The other side has not read for so long that no more is kept for it: what it misses from now on is lost. Called once. */
  onOverrun?(): void
}

/**
 * Tells and asks across processes. What is said in one turn of the event loop goes as one message, and the next one waits until that is on
 * its way. When the other side is gone, everything outstanding fails at once.
 */
export class Link {
  readonly #channel: Channel
  readonly #handlers = new Map<string, Handler>()
  readonly #outstanding = new Map<number, Outstanding>()
  readonly #closeListeners: (() => void)[] = []
  #queue: Frame[] = []
  /** Those of the queue that give way to a later one. */
  readonly #latest = new Map<string, Frame>()
  #lastId = 0
  #isFlushDue = false
  #isSending = false
  #isClosed = false
  #isOverrun = false
  #atOnce = 0
  readonly #options: LinkOptions

  constructor(channel: Channel, options: LinkOptions = {}) {
    this.#channel = channel
    this.#options = options
    channel.onMessage((message) => this.#receive(message))
    channel.onClose(() => this.#close())
  }

  /** Questions that have no answer yet. */
  get outstanding(): number {
    return this.#outstanding.size
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** Who answers a topic; one handler each. */
  on(topic: string, handler: Handler): void {
    this.#handlers.set(topic, handler)
  }

  /** Called when the other side is gone, at once when it is already. */
  onClose(listener: () => void): void {
    if (this.#isClosed) listener()
    else this.#closeListeners.push(listener)
  }

  /** Without effect when the other side is gone. */
  tell(topic: string, body?: unknown): void {
    if (this.#queue.length < MAX_QUEUED) this.#push([topic, 0, body])
    else this.#overrun()
  }

  /** As {@link tell}, of what counts only as it is now: whatever of the same topic and part still waits gives way to it. */
  tellLatest(topic: string, body: unknown, part = ''): void {
    const key = `${topic}\n${part}`
    const waiting = this.#latest.get(key)
    if (waiting) waiting[2] = body
    else if (this.#queue.length >= MAX_QUEUED) this.#overrun()
    else if (!this.#isClosed) {
      const frame: Frame = [topic, 0, body]
      this.#latest.set(key, frame)
      this.#push(frame)
    }
  }

  /**
   * As {@link tell}, ahead of all that waits, and out of this process when this returns unless the pipe is full: for what may be the last
   * word. Lost when the other side does not read.
   */
  tellAtOnce(topic: string, body?: unknown): void {
    if (this.#isClosed || this.#atOnce >= MAX_AT_ONCE) return
    this.#atOnce++
    this.#channel.send([[topic, 0, body] satisfies Frame], () => {
      this.#atOnce--
    })
  }

  /** Rejects when the other side fails, has no such topic or goes away, or when too much is outstanding. */
  ask<T>(topic: string, body?: unknown): Promise<T> {
    if (this.#isClosed) return Promise.reject(gone())
    if (this.#outstanding.size >= MAX_OUTSTANDING) {
      return Promise.reject(new Error(`${MAX_OUTSTANDING} questions to the other process have no answer yet`))
    }
    const id = ++this.#lastId
    return new Promise<T>((resolve, reject) => {
      this.#outstanding.set(id, { resolve: resolve as (value: unknown) => void, reject })
      this.#push([topic, id, body])
    })
  }

  #overrun(): void {
    if (this.#isOverrun || this.#isClosed) return
    this.#isOverrun = true
    this.#options.onOverrun?.()
  }

  #push(frame: Frame): void {
    if (this.#isClosed) return
    this.#queue.push(frame)
    if (this.#isFlushDue || this.#isSending) return
    this.#isFlushDue = true
    setImmediate(() => {
      this.#isFlushDue = false
      this.#flush()
    })
  }

  #flush(): void {
    if (this.#isClosed || this.#isSending || this.#queue.length === 0) return
    const frames = this.#queue.splice(0, MAX_FRAMES)
    this.#latest.clear()
    this.#isSending = true
    this.#channel.send(frames, () => {
      this.#isSending = false
      this.#flush()
    })
  }

  #receive(message: unknown): void {
    if (!Array.isArray(message)) return
    for (const frame of message as readonly Frame[]) this.#take(frame)
  }

  #take([topic, id, body]: Frame): void {
    if (topic === ANSWER || topic === FAILURE) {
      const waiting = this.#outstanding.get(id)
      this.#outstanding.delete(id)
      if (topic === ANSWER) waiting?.resolve(body)
      else waiting?.reject(revived(body))
      return
    }
    void this.#handle(topic, id, body)
  }

  /** Answers without a turn of the event loop where the handler does. */
  #handle(topic: string, id: number, body: unknown): void {
    try {
      const handler = this.#handlers.get(topic)
      if (!handler) throw new Error(`nobody answers "${topic}" here`)
      const result = handler(body)
      if (result instanceof Promise) {
        result.then(
          (value) => this.#answer(id, value),
          (error: unknown) => this.#fail(id, error),
        )
      } else this.#answer(id, result)
    } catch (error) {
      this.#fail(id, error)
    }
  }

  #answer(id: number, value: unknown): void {
    if (id > 0) this.#push([ANSWER, id, value])
  }

  #fail(id: number, error: unknown): void {
    if (id > 0) this.#push([FAILURE, id, portable(error)])
  }

  #close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#queue = []
    this.#latest.clear()
    for (const { reject } of this.#outstanding.values()) reject(gone())
    this.#outstanding.clear()
    for (const listener of this.#closeListeners) listener()
  }
}

interface PortableError {
  readonly name: string
  readonly message: string
  readonly code?: unknown
  readonly port?: unknown
  readonly address?: unknown
}

/** What of an error the other side is shown; port and address name what is taken. */
function portable(error: unknown): PortableError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) }
  const { name, message, code, port, address } = error as Error & Partial<PortableError>
  return { name, message, code, port, address }
}

function revived(body: unknown): Error {
  const { message, ...facts } = body as PortableError
  return Object.assign(new Error(message), facts)
}

function gone(): Error {
  return new Error('the other process is gone')
}
