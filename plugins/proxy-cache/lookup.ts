import type { Clock, Reply, RequestContext, WorkerOperation } from '../../src/plugin/api.ts'
import type { Stored } from '../_shared/cache/cache-store.ts'
import { fromCache } from '../_shared/cache/from-cache.ts'
import { type RequestAddress, withBody } from './key.ts'
import { isNotModified, notModifiedHeaders } from './not-modified.ts'
import type { CacheRules } from './rules.ts'
import { replyHeaders } from './stored-headers.ts'
import type { Visit } from './visit.ts'
import type { Purge, Zone } from './zones.ts'

const GATEWAY_TIMEOUT: Reply = { status: 504 }
const PURGED: Reply = { status: 200 }
const NOT_FOUND: Reply = { status: 404 }

export interface LookupParts {
  readonly zone: Zone
  readonly rules: CacheRules
  readonly clock: Clock
  /** Forgets answers in all processes. */
  readonly purge: WorkerOperation<Purge, boolean>
  readonly addressOf: (context: RequestContext) => RequestAddress
  /** Longest time that a request waits for another one's answer. */
  readonly waitMs: number
  /** Longest time that it waits for the store to find one. */
  readonly findMs: number
}

type Answer = Reply | undefined

/** The way of a request up to the upstream: finds an answer for it, or has it fetch one, or has it wait for who does. */
export class Lookup {
  readonly #parts: LookupParts

  constructor(parts: LookupParts) {
    this.#parts = parts
  }

  /** Forgets all answers to requests that differ from this one in their method alone. */
  async purge(context: RequestContext): Promise<Reply> {
    const { zone, addressOf, purge } = this.#parts
    const found = await purge({ zone: zone.name, key: addressOf(context).key })
    return found.includes(true) ? PURGED : NOT_FOUND
  }

  begin(visit: Visit, context: RequestContext): Answer | Promise<Answer> {
    if (!visit.verdict.mayLookUp && !visit.verdict.mayStore) return undefined
    const address = this.#parts.addressOf(context)
    if (context.method === 'POST') return this.#beginWithBody(visit, context, address)
    visit.address = address
    return this.#find(visit, context)
  }

  async #beginWithBody(visit: Visit, context: RequestContext, address: RequestAddress): Promise<Answer> {
    visit.address = await withBody(address, context)
    if (visit.address) return this.#find(visit, context)
    visit.status = 'BYPASS'
    return undefined
  }

  #find(visit: Visit, context: RequestContext): Answer | Promise<Answer> {
    if (!visit.verdict.mayLookUp) return this.#goOn(visit, context)
    const stored = this.#parts.zone.store.find(visit.address!)
    return stored instanceof Promise
      ? inTime(stored, this.#parts.findMs).then((found) => this.#use(found, visit, context))
      : this.#use(stored, visit, context)
  }

  #use(stored: Stored | undefined, visit: Visit, context: RequestContext): Answer | Promise<Answer> {
    if (stored) {
      const mayUse = !visit.verdict.isGuarded || stored.head.isPublic
      const status = mayUse ? this.#parts.rules.reuse(stored.head, context) : visit.status
      visit.status = status
      // A client that has left while the disk was at work gets nothing, and nobody would close what was opened for it.
      if (status === 'HIT' && !visit.isOver) return hit(stored, visit, context)
      stored.release()
    }
    return this.#goOn(visit, context)
  }

  /** There is nothing to answer with. */
  #goOn(visit: Visit, context: RequestContext): Answer | Promise<Answer> {
    const { verdict, address } = visit
    if (verdict.isOnlyIfCached) return GATEWAY_TIMEOUT
    if (!verdict.mayStore || visit.isOver) return undefined
    address!.keepHeaders()
    if (!verdict.mayCollapse || visit.hasWaited || this.#parts.waitMs === 0) return undefined
    const { flights, store } = this.#parts.zone
    const id = store.variantOf(address!)
    if (!flights.mayCollapse(id)) return undefined
    const flight = flights.find(id)
    if (!flight) {
      visit.flight = flights.begin(id)
      return undefined
    }
    visit.hasWaited = true
    return flight.wait(this.#parts.waitMs).then((outcome) => {
      if (outcome === 'stored') return this.#find(visit, context)
      // Whoever comes next must not wait in vain again.
      if (outcome === 'late') flights.settle(flight, 'unstorable')
      return undefined
    })
  }
}

/** What the store finds, or nothing when it takes too long: a disk that hangs must not hold up what the upstream could answer. */
function inTime(finding: Promise<Stored | undefined>, ms: number): Promise<Stored | undefined> {
  return new Promise((resolve) => {
    let isLate = false
    const timer = setTimeout(() => {
      isLate = true
      resolve(undefined)
    }, ms).unref()
    void finding.then((stored) => {
      clearTimeout(timer)
      if (isLate) stored?.release()
      else resolve(stored)
    })
  })
}

function hit(stored: Stored, visit: Visit, context: RequestContext): Reply {
  const { head, bodyBytes } = stored
  visit.used = head
  context.set(fromCache, true)
  if (isNotModified(context, head)) {
    stored.release()
    return { status: 304, headers: replyHeaders(notModifiedHeaders(head)) }
  }
  const headers = replyHeaders(head.headers)
  const body = stored.body()
  if (body instanceof Uint8Array) return { status: head.status, headers, body }
  visit.body = body
  return { status: head.status, headers: { ...headers, 'Content-Length': String(bodyBytes) }, body }
}
