import { type ClientRequest, type RequestOptions, request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import { isIP } from 'node:net'
import type { BodyTap, Counter, InstanceHost } from '../../src/plugin/api.ts'
import type { Copy } from './copy.ts'
import { createLookUp } from './look-up.ts'
import { OutgoingCopy, RESULTS, type Result, type Waiting } from './outgoing-copy.ts'
import { type MirrorConfig, type Timeouts, timeoutsOf } from './schema.ts'

/** So many copies may be under way at a time; others are not sent. */
const MAX_COPIES = 256
const TOLD_EVERY_MS = 60_000

/** Sends copies of requests and forgets them. What happens to a copy is counted, and shown to nobody else. */
export class Sender {
  readonly #host: InstanceHost
  readonly #counters: Readonly<Record<Result, Counter>>
  readonly #timeouts: Timeouts
  readonly #start: (options: RequestOptions) => ClientRequest
  readonly #options: RequestOptions
  readonly #underWay = new Set<OutgoingCopy>()
  readonly #waiting: Waiting = { bytes: 0 }
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
      ...(isTls && { servername: isIP(hostname) ? '' : hostname, ...host.tlsOptions(config.ssl_verify) }),
    }
  }

  /** Begins a copy, whose body is for what this returns; `undefined` when it is not sent. Never throws. */
  begin(copy: Copy): BodyTap | undefined {
    if (this.#underWay.size >= MAX_COPIES) {
      this.#counters.busy.inc()
      return undefined
    }
    try {
      return this.#follow(this.#open(copy), copy)
    } catch (error) {
      this.#settle('failed', error as Error)
      return undefined
    }
  }

  /** Gives up the copies under way. */
  close(): void {
    this.#isClosed = true
    for (const copy of this.#underWay) copy.giveUp('failed')
  }

  #open({ method, target, headers }: Copy): ClientRequest {
    return this.#start({ ...this.#options, method, path: target, headers: headers as string[] })
  }

  #follow(request: ClientRequest, { length }: Copy): OutgoingCopy {
    const copy = new OutgoingCopy(request, {
      length,
      timeouts: this.#timeouts,
      waiting: this.#waiting,
      settle: (result, error) => {
        this.#underWay.delete(copy)
        this.#settle(result, error)
      },
    })
    this.#underWay.add(copy)
    return copy
  }

  /** A mirror that is down or slow is told of once a minute, not once a request. */
  #settle(result: Result, error?: Error): void {
    this.#counters[result].inc()
    if (this.#isClosed || (result !== 'failed' && result !== 'slow')) return
    const nowMs = this.#host.clock.monotonic()
    if (nowMs - this.#toldAtMs < TOLD_EVERY_MS) return
    this.#toldAtMs = nowMs
    this.#host.logger.warn(
      { err: error, result },
      'copies of requests do not reach the mirror; requests go on',
    )
  }
}

function countersOf({ metrics }: InstanceHost): Readonly<Record<Result, Counter>> {
  const family = metrics.counter({
    name: 'gatewright_mirrored_requests_total',
    help: 'Copies of requests by what became of them: sent, failed, busy (too many under way), slow (the mirror did not take the body), body (the request ended before its body)',
    labels: ['result'],
  })
  const counters = RESULTS.map((result) => [result, family.labels(result)] as const)
  return Object.fromEntries(counters) as Record<Result, Counter>
}
