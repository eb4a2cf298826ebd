import { fakeClock } from '../../test/support/fake-clock.ts'
import { scriptedDns } from '../../test/support/scripted-dns.ts'
import type { Discoverer } from './discoverer.ts'
import { type DiscovererBench, discovererContract } from './discoverer-contract.ts'
import { DnsDiscoverer, type DnsOrder } from './dns.ts'
import type { DnsClient } from './dns-client.ts'
import { createLookUp } from './look-up.ts'
import { NameResolver } from './resolver.ts'

const V4 = ['10.0.0.1', '10.0.0.2', '10.0.0.3'] as const
const V6 = ['2001:db8::1', '2001:db8::2', '2001:db8::3'] as const
const TTL_SECONDS = 20
const NO_SEARCH = { search: [], ndots: 1 }

/** Records that a bench writes, and a client that reads them, held back while it is told to. */
function heldDns(type: string) {
  const records: Record<string, unknown> = {}
  const scripted = scriptedDns(records)
  let gate: Promise<void> = Promise.resolve()
  const questions: string[] = []
  const client: DnsClient = {
    ...scripted,
    a: (name) => ask('A', name, () => scripted.a(name)),
    aaaa: (name) => ask('AAAA', name, () => scripted.aaaa(name)),
    srv: (name) => ask('SRV', name, () => scripted.srv(name)),
  }
  async function ask<R>(asked: string, name: string, question: () => Promise<R>): Promise<R> {
    questions.push(`${asked} ${name}`)
    await gate
    return question()
  }
  return {
    records,
    client,
    hold: () => {
      let release = () => {}
      gate = new Promise((resolve) => {
        release = resolve
      })
      return () => release()
    },
    asked: (name: string) => questions.filter((question) => question === `${type} ${name}`).length,
    remove: (name: string) => void delete records[`${type} ${name}`],
    fail: (name: string) => {
      records[`${type} ${name}`] = 'SERVFAIL'
    },
  }
}

type Records = Readonly<Record<string, unknown>>

function addressRecords(type: 'A' | 'AAAA') {
  return (name: string, hosts: readonly string[]): Records => ({
    [`${type} ${name}`]: hosts.map((host) => [host, TTL_SECONDS]),
  })
}

function srvRecords(name: string, hosts: readonly string[]): Records {
  const targets = hosts.map((host) => [`A at-${host}`, [[host, TTL_SECONDS]]])
  const records = hosts.map((host) => ({ target: `at-${host}`, port: 80, weight: 1, priority: 0 }))
  return { [`SRV ${name}`]: records, ...Object.fromEntries(targets) }
}

function dnsBench(
  type: Exclude<DnsOrder, 'last' | 'CNAME'>,
  hosts: DiscovererBench['hosts'],
  recordsOf: (name: string, hosts: readonly string[]) => Records,
): DiscovererBench {
  const dns = heldDns(type)
  const clock = fakeClock()
  const lookUp = createLookUp({
    client: dns.client,
    hosts: { find: () => undefined },
    search: NO_SEARCH,
    validMs: undefined,
  })
  const options = { clock, random: () => 0.5, client: dns.client, lookUp, validMs: undefined }
  const discoverer = new DnsDiscoverer({ ...options, order: ['last', type] })
  return {
    ...dns,
    discoverer,
    clock,
    hosts,
    freshMs: TTL_SECONDS * 1000,
    set: (name, known) => void Object.assign(dns.records, recordsOf(name, known)),
    kept: () => discoverer.size,
  }
}

/** Names of nodes are told as nodes without a port. */
function namesAsServices(names: NameResolver): Pick<Discoverer, 'watch'> {
  return {
    watch: ({ serviceName }, sink) =>
      names.watch(serviceName, {
        onValue: ({ addresses }) =>
          sink.onNodes(addresses.map((host) => ({ host, port: undefined, weight: 1, priority: 0 }))),
        onProblem: (reason) => sink.onProblem(reason),
      }),
  }
}

function nameBench(): DiscovererBench {
  const dns = heldDns('A')
  const clock = fakeClock()
  const lookUp = createLookUp({
    client: dns.client,
    hosts: { find: () => undefined },
    search: NO_SEARCH,
    validMs: undefined,
  })
  const names = new NameResolver(lookUp, { clock, random: () => 0.5 })
  const recordsOf = addressRecords('A')
  return {
    ...dns,
    discoverer: namesAsServices(names),
    clock,
    hosts: V4,
    freshMs: TTL_SECONDS * 1000,
    set: (name, known) => void Object.assign(dns.records, recordsOf(name, known)),
    kept: () => names.size,
  }
}

/** Where the hosts file does not know a name any more, DNS is asked: that fails, or has none. */
function hostsBench(): DiscovererBench {
  const dns = heldDns('A')
  const { records, client, remove, fail } = dns
  const clock = fakeClock()
  const table = new Map<string, readonly string[]>()
  const asked: string[] = []
  const hosts = { find: (name: string) => table.get(name) }
  const lookUp = createLookUp({ client, hosts, search: NO_SEARCH, validMs: undefined })
  const counted = (name: string) => {
    asked.push(name)
    return lookUp(name)
  }
  const names = new NameResolver(counted, { clock, random: () => 0.5 })
  const forget = (name: string) => void table.delete(name)
  return {
    discoverer: namesAsServices(names),
    clock,
    hosts: V4,
    freshMs: 30_000,
    set: (name, known) => {
      delete records[`A ${name}`]
      table.set(name, known)
    },
    remove: (name) => {
      forget(name)
      remove(name)
    },
    fail: (name) => {
      forget(name)
      fail(name)
    },
    asked: (name) => asked.filter((one) => one === name).length,
    kept: () => names.size,
  }
}

discovererContract('discovery_type dns with A records', () => dnsBench('A', V4, addressRecords('A')))
discovererContract('discovery_type dns with AAAA records', () => dnsBench('AAAA', V6, addressRecords('AAAA')))
discovererContract('discovery_type dns with SRV records', () => dnsBench('SRV', V4, srvRecords))
discovererContract('a node by name in DNS', nameBench)
discovererContract('a node by name in the hosts file', hostsBench)
