import { isIP } from 'node:net'
import { type AddressRecord, type DnsClient, DnsError } from './dns-client.ts'
import type { HostsFile } from './hosts-file.ts'
import type { Loaded } from './refreshed.ts'
import { type ResolvConf, searchNames } from './resolv-conf.ts'

/** Where names are looked up. */
export interface LookUpOptions {
  readonly hosts: Pick<HostsFile, 'find'>
  readonly client: DnsClient
  readonly search: Pick<ResolvConf, 'search' | 'ndots'>
  /** Holds in place of every TTL. */
  readonly validMs: number | undefined
}

/** How often what the hosts file says is looked at again. */
const HOSTS_TTL_MS = 30_000
/** Aliases are followed so far: a loop of them must end. */
const MOST_ALIASES = 8
/** RFC 6761 §6.3: for when the hosts file forgot it. */
const LOCALHOST = ['127.0.0.1']

/** The addresses of a name, sorted, v4 preferred. At once when the hosts file knows it; else a promise that rejects with the reason. */
export type LookUp = (name: string) => Loaded<readonly string[]> | Promise<Loaded<readonly string[]>>

/** Looks names up: the hosts file first, then DNS, through the search list (contract §5.2). */
export function createLookUp(options: LookUpOptions): LookUp {
  const { hosts, search, validMs } = options
  return (name) => {
    if (isIP(name) !== 0) return { value: [name], ttlMs: Number.POSITIVE_INFINITY }
    const known = hosts.find(name.replace(/\.$/, '')) ?? (name === 'localhost' ? LOCALHOST : undefined)
    if (known) return { value: known, ttlMs: HOSTS_TTL_MS }
    return firstOf(searchNames(name, search), (candidate) => addressesOf(candidate, options)).then(
      (records) => ({
        value: [...new Set(records.map(({ address }) => address))].sort(),
        ttlMs: validMs ?? Math.min(...records.map(({ ttlMs }) => ttlMs)),
      }),
    )
  }
}

/** What the first candidate that has something brings. One that is not known leads on to the next; an unclear answer ends it. */
export async function firstOf<C, R>(candidates: readonly C[], ask: (candidate: C) => Promise<R>): Promise<R> {
  let absent: unknown
  for (const candidate of candidates) {
    try {
      return await ask(candidate)
    } catch (error) {
      if (!isAbsent(error)) throw error
      // The name as it was written says more than the last one of the search list.
      absent ??= error
    }
  }
  throw absent
}

/** Whether the servers said that there is nothing. */
export function isAbsent(error: unknown): boolean {
  return error instanceof DnsError && error.kind === 'absent'
}

async function addressesOf(name: string, { client }: LookUpOptions): Promise<readonly AddressRecord[]> {
  return firstOf([client.a, client.aaaa], (ask) => ask(name))
}

/** The addresses behind an alias that the servers did not follow themselves. */
export async function followAlias(
  name: string,
  client: DnsClient,
  lookUp: LookUp,
): Promise<Loaded<readonly string[]>> {
  let target = name
  for (let step = 0; step < MOST_ALIASES; step++) {
    const [next] = await client.cname(target)
    if (next === undefined) throw new DnsError('absent', `CNAME of "${target}": there is none`)
    target = next
    try {
      return await lookUp(`${target}.`)
    } catch (error) {
      if (!isAbsent(error)) throw error
    }
  }
  throw new DnsError('unknown', `CNAME of "${name}": more than ${MOST_ALIASES} aliases`)
}
