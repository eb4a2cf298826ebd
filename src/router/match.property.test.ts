import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { HostTable } from './host-table.ts'
import { createLeaves } from './leaf.ts'
import { createRouter } from './match.ts'
import { type MatchRequest, ROUTER_TYPES, type RouteEntry, type RouterType } from './router.ts'
import { UriTable } from './uri-table.ts'

/*
 * The reference: contract §4.2 and §4.3 read aloud. It ranks every pattern of every route for the request and takes the first that
 * passes. Slow, and without any of the router's parts.
 */

interface Ranked {
  readonly entry: RouteEntry<string>
  /** Compared item by item, larger first. */
  readonly rank: readonly number[]
}

function literalPrefix(uri: string, type: RouterType): string {
  const special = type === 'radixtree_uri_with_parameter' ? /\*|(?<=\/):(?=[^/])/ : /\*/
  const at = uri.search(special)
  return at === -1 ? uri : uri.slice(0, at)
}

function toRegExp(uri: string, type: RouterType): RegExp {
  const parameters = type === 'radixtree_uri_with_parameter'
  const segments = uri.split('/').map((segment) => {
    if (segment.startsWith('*')) return '[^]*'
    if (parameters && /^:./.test(segment)) return '[^/]+'
    return segment.replaceAll('*', '[^]*')
  })
  return new RegExp(`^${segments.join('/')}$`)
}

function hostFits(pattern: string, host: string): boolean {
  return pattern.startsWith('*') ? host.endsWith(pattern.slice(1)) : host === pattern
}

/** Exact host above all, then the longer wildcard, then none. */
function hostRank(pattern: string | undefined): number {
  if (pattern === undefined) return -1
  return pattern.startsWith('*') ? pattern.length : 1000
}

function rankings(entry: RouteEntry<string>, request: MatchRequest, type: RouterType): Ranked[] {
  const hostFirst = type === 'radixtree_host_uri'
  const hosts = entry.hosts.filter((host) => hostFits(host, request.host))
  if (entry.hosts.length > 0 && hosts.length === 0) return []
  const hostRanks = hostFirst && entry.hosts.length > 0 ? hosts.map(hostRank) : [-1]
  return entry.uris.flatMap((uri) => {
    if (!toRegExp(uri, type).test(request.path)) return []
    const prefix = literalPrefix(uri, type)
    const exact = prefix === uri ? 1 : 0
    return hostRanks.map((rank) => ({
      entry,
      rank: [rank, exact, prefix.length, entry.priority, uri.length, -entry.order],
    }))
  })
}

function reference(
  entries: Iterable<RouteEntry<string>>,
  request: MatchRequest,
  type: RouterType,
): string | undefined {
  const ranked = [...entries].flatMap((entry) => rankings(entry, request, type))
  ranked.sort((a, b) => {
    const differing = a.rank.findIndex((value, index) => value !== b.rank[index])
    return differing === -1 ? 0 : b.rank[differing]! - a.rank[differing]!
  })
  return ranked.find(({ entry }) => passes(entry, request))?.entry.target
}

function passes(entry: RouteEntry<string>, request: MatchRequest): boolean {
  if (entry.methods.length > 0 && !entry.methods.includes(request.method)) return false
  if (entry.remoteAddrs.length > 0 && !entry.remoteAddrs.includes(request.remoteAddr)) return false
  if (entry.vars !== undefined && !entry.vars.test(request)) return false
  return entry.filter === undefined || entry.filter(request)
}

const segment = fc.constantFrom('a', 'b', 'ab', '*', ':x', 'a*', '*y', ':', '')
const uri = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/${segments.join('/')}`)
const path = fc
  .array(fc.constantFrom('a', 'b', 'ab', ':x'), { maxLength: 4 })
  .map((segments) => `/${segments.join('/')}`)
const host = fc.constantFrom('a.com', 'x.a.com', 'y.x.a.com', 'b.org')
const hostPattern = fc.constantFrom(
  '*',
  '*.a.com',
  '*a.com',
  '*.com',
  '*.x.a.com',
  'a.com',
  'x.a.com',
  'b.org',
)
const method = fc.constantFrom('GET', 'POST', 'HEAD', 'BREW')
const address = fc.constantFrom('10.0.0.1', '10.0.0.2')

const draft = fc.record({
  id: fc.nat(11).map(String),
  uris: fc.uniqueArray(uri, { minLength: 1, maxLength: 3 }),
  hosts: fc.uniqueArray(hostPattern, { maxLength: 2 }),
  methods: fc.uniqueArray(fc.constantFrom('GET', 'POST'), { maxLength: 2 }),
  remoteAddrs: fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, fc.tuple(address)),
  priority: fc.integer({ min: -1, max: 1 }),
  needsX: fc.constantFrom(undefined, undefined, undefined, true, false),
  filtersX: fc.constantFrom(undefined, undefined, undefined, true, false),
  isDeleted: fc.constantFrom(false, false, false, true),
})
type Draft = typeof draft extends fc.Arbitrary<infer D> ? D : never

const FILLER: Draft = {
  ...{ id: '', uris: [], hosts: ['b.org'], methods: [], remoteAddrs: [], priority: 0 },
  ...{ needsX: undefined, filtersX: undefined, isDeleted: false },
}

/** The order stays the same over updates, as the caller keeps it: here it follows from the id. */
function toEntry(
  { id, needsX, filtersX, uris, hosts, methods, remoteAddrs, priority }: Draft,
  version: number,
) {
  const entry: RouteEntry<string> = {
    id,
    uris,
    hosts,
    methods,
    remoteAddrs,
    priority,
    order: Number(id),
    target: `${id} version ${version}`,
    vars:
      needsX === undefined
        ? undefined
        : {
            test: (source) => source.var('x') === needsX,
            variables: [],
            firstFailure: () => undefined,
          },
    filter: filtersX === undefined ? undefined : (source) => source.var('x') === filtersX,
  }
  return entry
}

const request: fc.Arbitrary<MatchRequest> = fc
  .record({ path, host, method, remoteAddr: address, x: fc.boolean() })
  .map(({ x, ...rest }) => ({
    ...rest,
    rawHost: rest.host,
    pathParams: undefined,
    var: (name) => (name === 'x' ? x : undefined),
  }))

const drafts = fc.array(draft, { minLength: 1, maxLength: 40, size: 'max' })
const requests = fc.array(request, { minLength: 8, maxLength: 8 })

for (const type of ROUTER_TYPES) {
  describe(`${type} on random tables`, () => {
    it('matches what the reference matches, through updates and deletes, and ends empty', () => {
      let matched = 0
      fc.assert(
        fc.property(drafts, requests, (changes, asked) => {
          const router = createRouter<string>(type)
          const model = new Map<string, RouteEntry<string>>()
          changes.forEach((change, version) => {
            if (change.isDeleted) {
              assert.equal(router.delete(change.id), model.delete(change.id))
            } else {
              const entry = toEntry(change, version)
              router.put(entry)
              model.set(entry.id, entry)
            }
            assert.equal(router.size, model.size)
          })
          for (const one of asked) {
            const expected = reference(model.values(), one, type)
            if (expected !== undefined) matched++
            assert.equal(router.match(one), expected)
            assert.equal(model.get(matchedIdOf(router.explain(one)) ?? '')?.target, expected)
          }
          for (const id of model.keys()) assert.equal(router.delete(id), true)
          assert.equal(router.size, 0)
          for (const one of asked) assert.deepEqual(router.explain(one), [])
        }),
        { numRuns: 500 },
      )
      assert.ok(matched > 500, `only ${matched} requests matched`)
    })

    it('answers the same whatever the order of insertion', () => {
      const unique = fc.uniqueArray(draft, { selector: ({ id }) => id, maxLength: 12 })
      const shuffled = unique.chain((all) =>
        fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })),
      )
      fc.assert(
        fc.property(shuffled, requests, ([first, second], asked) => {
          const routers = [first, second].map((all) => {
            const router = createRouter<string>(type)
            for (const one of all) router.put(toEntry(one, 0))
            return router
          })
          for (const one of asked) assert.deepEqual(routers[0]!.explain(one), routers[1]!.explain(one))
        }),
      )
    })

    it('shows many prepared changes in one step, as if they had been made one by one', async () => {
      const unique = fc.uniqueArray(draft, { selector: ({ id }) => id, maxLength: 12 })
      const fillers = Array.from({ length: 500 }, (_, i) =>
        toEntry({ ...FILLER, id: String(1000 + i), uris: [`/filler/${i}`] }, 0),
      )
      await fc.assert(
        fc.asyncProperty(unique, unique, requests, async (before, changes, asked) => {
          const prepared = createRouter<string>(type)
          const expected = createRouter<string>(type)
          for (const one of before) for (const router of [prepared, expected]) router.put(toEntry(one, 0))
          const puts = [
            ...changes.filter(({ isDeleted }) => !isDeleted).map((one) => toEntry(one, 1)),
            ...fillers,
          ]
          const deletes = changes.filter(({ isDeleted }) => isDeleted).map(({ id }) => id)
          const pauses = { count: 0 }
          const show = await prepared.prepare({ puts, deletes }, () => {
            pauses.count++
            return undefined
          })
          assert.ok(pauses.count >= puts.length)
          for (const one of asked) assert.deepEqual(prepared.explain(one), expected.explain(one))
          show()
          for (const id of deletes) expected.delete(id)
          for (const entry of puts) expected.put(entry)
          assert.equal(prepared.size, expected.size)
          for (const one of asked) assert.deepEqual(prepared.explain(one), expected.explain(one))
          for (const { id } of fillers) assert.equal(prepared.delete(id), true)
        }),
        { numRuns: 50 },
      )
    })

    it('leaves no residue in its tables', () => {
      fc.assert(
        fc.property(drafts, (all) => {
          const table = type === 'radixtree_host_uri' ? new HostTable<string>() : new UriTable<string>()
          const leaves = all.flatMap((one, version) => createLeaves(toEntry(one, version), type))
          for (const leaf of leaves) table.add(leaf)
          for (const leaf of leaves.toReversed()) table.remove(leaf)
          assert.equal(table.isEmpty, true)
        }),
      )
    })
  })
}

function matchedIdOf(
  candidates: ReturnType<ReturnType<typeof createRouter<string>>['explain']>,
): string | undefined {
  return candidates.find(({ outcome }) => outcome === 'matched')?.id
}
