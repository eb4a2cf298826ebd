import { promises as dns } from 'node:dns'
import type { Clock } from '../lib/clock.ts'

export interface AddressRecord {
  readonly address: string
  readonly ttlMs: number
}

/** RFC 2782. Node does not tell the TTL of these. */
export interface SrvRecord {
  readonly target: string
  readonly port: number
  readonly weight: number
  readonly priority: number
}

/** Asks DNS servers; keeps nothing. All reject with a {@link DnsError}. */
export interface DnsClient {
  a(name: string): Promise<readonly AddressRecord[]>
  aaaa(name: string): Promise<readonly AddressRecord[]>
  srv(name: string): Promise<readonly SrvRecord[]>
  /** Targets of aliases. */
  cname(name: string): Promise<readonly string[]>
  /** Ends what is under way. */
  close(): void
}

/** Why a question brought no records. */
export class DnsError extends Error {
  override readonly name = 'DnsError'
  /** `absent`: the servers say that there are none (NXDOMAIN, no data). `unknown`: they did not say. */
  readonly kind: 'absent' | 'unknown'

  constructor(kind: 'absent' | 'unknown', message: string) {
    super(message)
    this.kind = kind
  }
}

export interface DnsClientOptions {
  /** `ip`, `ip:port`, `[v6]:port`; empty for those of the system. */
  readonly servers: readonly string[]
  /** Longest wait for one answer. */
  readonly timeoutMs: number
  readonly clock: Clock
}

/** Questions under way at once; further ones wait, so that ten thousand names are no flood. */
const MOST_AT_ONCE = 64
/** Twice within the time allowed: a lost datagram is not a failed look-up. The second try waits twice as long as the first. */
const TRIES = 2
const FIRST_TRY_PART = 1 / 3

const ABSENT: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA'])

/** A client over Node's resolver. Throws when a server is not written as an address. */
export function createDnsClient({ servers, timeoutMs, clock }: DnsClientOptions): DnsClient {
  const resolver = new dns.Resolver({ timeout: Math.ceil(timeoutMs * FIRST_TRY_PART), tries: TRIES })
  if (servers.length > 0) resolver.setServers(servers)
  const turnstile = new Turnstile(MOST_AT_ONCE)
  let isClosed = false
  const ask = async <R>(type: string, name: string, question: () => Promise<R>): Promise<R> => {
    await turnstile.enter()
    try {
      if (isClosed) throw new Error('the gateway stops')
      return await within(question(), { timeoutMs, clock })
    } catch (error) {
      throw explained(error as NodeJS.ErrnoException, `${type} of "${name}"`)
    } finally {
      turnstile.leave()
    }
  }
  const addresses = (records: { address: string; ttl: number }[]) =>
    records.map(({ address, ttl }) => ({ address, ttlMs: ttl * 1000 }))
  return {
    a: async (name) => addresses(await ask('A', name, () => resolver.resolve4(name, { ttl: true }))),
    aaaa: async (name) => addresses(await ask('AAAA', name, () => resolver.resolve6(name, { ttl: true }))),
    srv: async (name) => {
      const records = await ask('SRV', name, () => resolver.resolveSrv(name))
      return records.map(({ name: target, port, weight, priority }) => ({ target, port, weight, priority }))
    },
    cname: (name) => ask('CNAME', name, () => resolver.resolveCname(name)),
    close: () => {
      isClosed = true
      resolver.cancel()
    },
  }
}

function explained(error: NodeJS.ErrnoException, what: string): DnsError {
  const code = error.code ?? error.message
  return ABSENT.has(code)
    ? new DnsError('absent', `${what}: there is none (${code})`)
    : new DnsError('unknown', `${what}: ${code}`)
}

/** The resolver counts its time per server and try; this is the limit over all of them. */
function within<R>(
  answer: Promise<R>,
  { timeoutMs, clock }: { timeoutMs: number; clock: Clock },
): Promise<R> {
  return new Promise((resolve, reject) => {
    const cancel = clock.schedule(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs} ms`)))
    answer.then(resolve, reject).finally(cancel)
  })
}

/** Lets so many through at once, in the order they came. */
class Turnstile {
  #free: number
  readonly #queue: (() => void)[] = []

  constructor(places: number) {
    this.#free = places
  }

  enter(): Promise<void> {
    if (this.#free > 0) {
      this.#free--
      return Promise.resolve()
    }
    return new Promise((resolve) => this.#queue.push(resolve))
  }

  leave(): void {
    const next = this.#queue.shift()
    if (next) next()
    else this.#free++
  }
}
