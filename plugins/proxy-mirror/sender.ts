import { type ClientRequest, type RequestOptions, request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import { isIP } from 'node:net'
import type { Counter, InstanceHost } from '../../src/plugin/api.ts'
import type { Copy } from './copy.ts'
import { createLookUp } from './look-up.ts'
import { type MirrorConfig, type Timeouts, timeoutsOf } from './schema.ts'

/** So many copies may be under way at a time, with so many bytes of bodies; others are not sent. */
const MAX_COPIES = 256
const MAX_BYTES = 32 * 1024 * 1024
const TOLD_EVERY_MS = 60_000

const RESULTS = ['sent', 'failed', 'busy', 'body'] as const
/** `busy`: too many were under way. `body`: the request's is too long, or of no announced length. */
export type Result = (typeof RESULTS)[number]

/** Sends copies of requests and forgets them. What happens to a copy is counted, and shown to nobody else. */
export class Sender {
  readonly #host: InstanceHost
  readonly #counters: Readonly<Record<Result, Counter>>
  readonly #timeouts: Timeouts
  readonly #start: (options: RequestOptions) => ClientRequest
  readonly #options: RequestOptions
  readonly #underWay = new Set<ClientRequest>()
  #bytes = 0
  #isClosed = false
  #toldAtMs = Number.NEGATIVE_INFINITY

  constructor(config: MirrorConfig, host: InstanceHost) {
    const url = new URL(config.host)
    const isTls = url.protocol === 'https:'
    const hostname = url.hostname.replace(/^\[|\]$/g, '')
    this.#host = host
    this.#counters = countersOf(host)
    this.#timeouts = timeoutsOf(host.attr)
    this.#start = isTls ? requestTls : requestPlain
    this.#options = {
      hostname,
      port: url.port || (isTls ? 443 : 80),
      agent: false,
      lookup: createLookUp(() => host.clock.monotonic()),
      // Else Node takes the name to verify from the Host header.
      ...(isTls && { servername: isIP(hostname) ? '' : hostname, rejectUnauthorized: config.ssl_verify }),
    }
  }

  count(result: Result): void {
    this.#counters[result].inc()
  }

  /** Never throws. */
  send(copy: Copy): void {
    const size = copy.body.length
    if (this.#underWay.size >= MAX_COPIES || this.#bytes + size > MAX_BYTES) {
      this.count('busy')
      return
    }
    try {
      this.#follow(this.#open(copy), copy)
    } catch (error) {
      this.#failed(error as Error)
    }
  }

  /** Gives up the copies under way. */
  close(): void {
    this.#isClosed = true
    for (const request of this.#underWay) request.destroy()
  }

  #open({ method, target, headers }: Copy): ClientRequest {
    return this.#start({ ...this.#options, method, path: target, headers: headers as string[] })
  }

  #follow(request: ClientRequest, { body }: Copy): void {
    const { connectMs, totalMs } = this.#timeouts
    let isAnswered = false
    const giveUp = (what: string, ms: number) =>
      setTimeout(() => request.destroy(new Error(`${what} within ${ms} ms`)), ms).unref()
    const connecting = giveUp('not connected', connectMs)
    const ending = giveUp('no whole answer', totalMs)
    this.#underWay.add(request)
    this.#bytes += body.length
    request.on('socket', (socket) => {
      socket.unref()
      socket.once('connect', () => clearTimeout(connecting))
    })
    request.on('response', (response) => {
      isAnswered = true
      response.on('error', () => request.destroy())
      response.resume()
    })
    request.on('upgrade', () => request.destroy())
    request.on('error', (error) => !isAnswered && this.#failed(error))
    request.on('close', () => {
      clearTimeout(connecting)
      clearTimeout(ending)
      this.#underWay.delete(request)
      this.#bytes -= body.length
      if (isAnswered) this.count('sent')
    })
    request.end(body)
  }

  /** A mirror that is down is told of once a minute, not once a request. */
  #failed(error: Error): void {
    this.count('failed')
    if (this.#isClosed) return
    const nowMs = this.#host.clock.monotonic()
    if (nowMs - this.#toldAtMs < TOLD_EVERY_MS) return
    this.#toldAtMs = nowMs
    this.#host.logger.warn({ err: error }, 'copies of requests do not reach the mirror; requests go on')
  }
}

function countersOf({ metrics }: InstanceHost): Readonly<Record<Result, Counter>> {
  const family = metrics.counter({
    name: 'gatewright_mirrored_requests_total',
    help: 'Copies of requests by what became of them: sent, failed, busy (too many under way), body (too long or of unknown length)',
    labels: ['result'],
  })
  const counters = RESULTS.map((result) => [result, family.labels(result)] as const)
  return Object.fromEntries(counters) as Record<Result, Counter>
}
