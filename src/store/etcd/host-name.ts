import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'

/** Rejects when the name has no address. */
export type LookUp = (name: string) => Promise<unknown>

/** No name server has answered in time. */
export class UnresolvedNameError extends Error {
  override readonly name = 'UnresolvedNameError'
}

export interface HostNameOptions {
  /** How long a call may wait for a look-up, in ms. */
  readonly patienceMs: number
  /** Default: as the system does it, which is how gRPC asks. */
  readonly lookUp?: LookUp
}

/**
 * Looks the name of a host up, once at a time, before gRPC is given a call for it. A name server that is silent holds a look-up for ten seconds
 * and more, and the process has two threads for them. Each call that fails has gRPC begin another one: there would be hundreds, and whoever
 * else in the process asks for a name would wait behind them.
 */
export class HostName {
  readonly #name: string
  readonly #options: HostNameOptions
  readonly #isAddress: boolean
  #isKnown: boolean
  #underWay: Promise<void> | undefined

  /** `host` is `http://host:port`, `https://host:port` or `host:port`. */
  constructor(host: string, options: HostNameOptions) {
    const { hostname } = new URL(host.includes('://') ? host : `http://${host}`)
    this.#name = hostname
    this.#options = options
    this.#isAddress = isIP(hostname.replace(/^\[|\]$/g, '')) !== 0
    this.#isKnown = this.#isAddress
  }

  /** Nothing when gRPC may look it up; else resolves once it may, and rejects with {@link UnresolvedNameError} when that takes too long. */
  ready(): Promise<void> | undefined {
    if (this.#isKnown) return undefined
    this.#underWay ??= this.#lookUp().finally(() => {
      this.#underWay = undefined
    })
    return this.#withinPatience(this.#underWay)
  }

  /** The connection is given up: the next one takes another look-up. */
  forget(): void {
    this.#isKnown = this.#isAddress
  }

  async #lookUp(): Promise<void> {
    const { lookUp = (name) => lookup(name, { all: true }) } = this.#options
    try {
      await lookUp(this.#name)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAI_AGAIN') throw this.#error()
      // There is an answer: gRPC gets it as well, and says what it is.
      return
    }
    this.#isKnown = true
  }

  #withinPatience(work: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(this.#error()), this.#options.patienceMs)
      work.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }

  #error(): Error {
    return new UnresolvedNameError(
      `the name server does not answer for ${this.#name}; look at /etc/resolv.conf`,
    )
  }
}
