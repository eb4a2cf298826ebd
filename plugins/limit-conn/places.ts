import { randomUUID } from 'node:crypto'
import type { InstanceHost, NodeOperation, PluginHost } from '../../src/plugin/api.ts'
import type { NoteFailure } from '../_shared/limit/failures.ts'
import { OpenRequests, RENEW_MS } from '../_shared/limit/open-requests.ts'
import { type RedisEntry, redisOpenRequests } from '../_shared/limit/redis-open-requests.ts'
import { RedisUnavailableError } from '../_shared/redis/connection.ts'
import { shareRedis } from '../_shared/redis/shared.ts'
import { redisTarget } from '../_shared/redis/target.ts'
import type { LimitConnConfig } from './schema.ts'

/** Keys with requests under way that a node remembers; more than it has connections. */
const MAX_OPEN_KEYS = 262_144
const MS_PER_SECOND = 1000
/** Places that may have to be given back once redis answers again. */
const MAX_UNSETTLED = 4096
const SETTLE_MS = 5000

/** How many requests of the key are under way with this one, and what gives its place back; `undefined` when it has none. */
export type Entered = { readonly count: number; readonly leave: () => void } | undefined

/** Takes a place for one request. Rejects when it cannot be told whether there is one. */
export type Enter = (key: string, most: number) => Entered | Promise<Entered>

/** The argument of the node operation; plain data, because it may go to another process. */
interface Act {
  readonly act: 'enter' | 'leave' | 'renew'
  readonly holder: string
  readonly key: string
  readonly most: number
}

/** For the plugin's `nodeOperations`: requests under way in all processes of a node. Answers the count, 0 for one too many. */
export function openRequestsOperation({ clock }: PluginHost): NodeOperation<Act, number> {
  const open = new OpenRequests(MAX_OPEN_KEYS)
  const acts: Readonly<Record<Act['act'], (act: Act, now: number) => number>> = {
    enter: ({ key, ...rest }, now) => open.enter(key, rest, now) ?? 0,
    leave({ key, holder }) {
      open.leave(key, holder)
      return 0
    },
    renew({ holder }, now) {
      open.renew(holder, now)
      return 0
    },
  }
  return (act) => acts[act.act](act, clock.monotonic())
}

interface Parts {
  /** Identity of the limit, see `limit-id.ts`. */
  readonly id: string
  readonly host: InstanceHost
  readonly noteFailure: NoteFailure
}

/** Places of one limit, where the policy says. What it starts ends with the instance. */
export function openPlaces(config: LimitConnConfig, parts: Parts): Enter {
  return config.policy === 'local' ? localPlaces(parts) : redisPlaces(config, config.policy, parts)
}

function localPlaces({ id, host, noteFailure }: Parts): Enter {
  const operate = host.nodeOperation<Act, number>('open-requests')
  const holder = randomUUID()
  let held = 0
  const tell = (act: 'leave' | 'renew', key: string) => {
    const told = operate({ act, holder, key, most: 0 })
    if (told instanceof Promise) told.catch(noteFailure)
  }
  const leaveOf = (key: string) => () => {
    held -= 1
    tell('leave', key)
  }
  const enteredAs = (key: string, count: number): Entered => {
    if (count === 0) return undefined
    held += 1
    return { count, leave: leaveOf(key) }
  }
  host.every(RENEW_MS, () => {
    if (held > 0) tell('renew', '')
  })
  return (own, most) => {
    const key = `${id}:${own}`
    const count = operate({ act: 'enter', holder, key, most })
    return count instanceof Promise ? count.then((late) => enteredAs(key, late)) : enteredAs(key, count)
  }
}

function redisPlaces(
  config: LimitConnConfig,
  policy: 'redis' | 'redis-cluster',
  { id: limit, host, noteFailure }: Parts,
): Enter {
  const redis = shareRedis(redisTarget(policy, config), host)
  const prefix = `gatewright:limit-conn:${limit}:`
  const open = redisOpenRequests({ redis, prefix }, config.key_ttl * MS_PER_SECOND)
  const unsettled = new Unsettled((entry) => open.leave(entry))
  host.every(SETTLE_MS, () => unsettled.settle())
  const own = randomUUID()
  let entries = 0
  return async (key, most) => {
    entries += 1
    const entry = { key, id: `${own}:${entries}` }
    const count = await open.enter(entry, most).catch((error: unknown) => {
      if (error instanceof RedisUnavailableError && error.wasAsked) unsettled.add(entry)
      throw error
    })
    if (count === undefined) return undefined
    const notLeft = (error: unknown) => {
      unsettled.add(entry)
      noteFailure(error)
    }
    return { count, leave: () => void open.leave(entry).catch(notLeft) }
  }
}

/**
 * Places that redis may hold for requests which are over: it was asked and has not answered in time, or could not be told. Else
 * each would be taken until `key_ttl` has passed, and a redis that hung for a second would refuse requests for an hour.
 */
class Unsettled {
  readonly #entries = new Map<string, RedisEntry>()
  readonly #leave: (entry: RedisEntry) => Promise<void>

  constructor(leave: (entry: RedisEntry) => Promise<void>) {
    this.#leave = leave
  }

  /** Beyond the limit `key_ttl` has to do. */
  add(entry: RedisEntry): void {
    if (this.#entries.size < MAX_UNSETTLED) this.#entries.set(entry.id, entry)
  }

  async settle(): Promise<void> {
    const entries = [...this.#entries.values()]
    const results = await Promise.allSettled(entries.map((entry) => this.#leave(entry)))
    // The others stay for the next time; that redis is away is told of by the requests themselves.
    for (const [i, { status }] of results.entries()) {
      if (status === 'fulfilled') this.#entries.delete(entries[i]!.id)
    }
  }
}
