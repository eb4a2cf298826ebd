import { createHash, randomBytes } from 'node:crypto'
import { type InstanceHost, type RequestContext, requestSlot } from '../../src/plugin/api.ts'
import { defineScript, type RedisScript } from '../_shared/redis/script.ts'
import { shareRedis } from '../_shared/redis/shared.ts'
import type { RedisTarget } from '../_shared/redis/target.ts'
import type { Cookies } from './cookies.ts'
import type { Identity } from './identity-headers.ts'
import type { OpenidConnectConfig } from './schema.ts'
import type { Seal } from './seal.ts'

/** What a login has left. Times are wall clock in ms. */
export interface Session extends Identity {
  readonly createdAt: number
  readonly seenAt: number
  /** Of the access token, when it is known. */
  readonly expiresAt?: number | undefined
}

type SessionConfig = NonNullable<OpenidConnectConfig['session']>

/**
 * What a session is saved for. A new one gets another name: nobody else can have known it before the login. The others change what is
 * there still: one that was ended meanwhile stays ended, and a use that is noted takes back nothing that another request has changed.
 */
export type Occasion = 'new' | 'renewed' | 'used'

/** Where sessions are kept. What changes gives lines for `Set-Cookie`, none when nothing was saved. */
export interface SessionStore {
  load(context: RequestContext): Promise<string | undefined>
  save(context: RequestContext, text: string, occasion: Occasion): Promise<string[]>
  drop(context: RequestContext): Promise<string[]>
}

export interface StoreParts {
  readonly config: SessionConfig
  readonly cookies: Cookies
  readonly seal: Seal
}

/** Whole sessions in cookies. */
export function cookieStore({ cookies, seal }: StoreParts): SessionStore {
  return {
    async load(context) {
      const sealed = cookies.read(context)
      return sealed === undefined ? undefined : seal.open('session', sealed)
    },
    save: async (context, text) => cookies.write(context, seal.seal('session', text)),
    drop: async (context) => cookies.expire(context),
  }
}

const GET = defineScript("return redis.call('GET', KEYS[1])")
const DELETE = defineScript("return redis.call('DEL', KEYS[1])")
/** Key: the session's; arguments: what to keep, for how many ms, and what has been read. */
const SAVE: Readonly<Record<Occasion, RedisScript>> = {
  new: defineScript("return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])"),
  renewed: defineScript("return redis.call('SET', KEYS[1], ARGV[1], 'XX', 'PX', ARGV[2])"),
  used: defineScript(
    "if redis.call('GET', KEYS[1]) == ARGV[3] then return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end return false",
  ),
}
/** The session as redis gave it to this request. */
const read = requestSlot<string>('openid-connect: session in redis')

const LONGEST_LIFE_MS = 30 * 86_400_000

/** Sessions in redis, sealed; the cookie holds a name that nobody can guess, and redis only its digest. */
export function redisStore({ config, cookies, seal }: StoreParts, host: InstanceHost): SessionStore {
  const { redis, idling_timeout, rolling_timeout, absolute_timeout } = config
  const connection = shareRedis(targetOf(redis!), host)
  const lives = [idling_timeout, rolling_timeout, absolute_timeout].filter((seconds) => seconds > 0)
  const lifeMs = Math.min(LONGEST_LIFE_MS, ...lives.map((seconds) => seconds * 1000))
  const nameIn = (context: RequestContext) => {
    const sealed = cookies.read(context)
    return sealed === undefined ? undefined : seal.open('session-name', sealed)
  }
  const keyOf = (name: string) => `${redis!.prefix}:${createHash('sha256').update(name).digest('base64url')}`
  const remove = async (name: string) => void (await connection.run(DELETE, keyOf(name), []))
  return {
    async load(context) {
      const name = nameIn(context)
      if (name === undefined) return undefined
      const sealed = await connection.run(GET, keyOf(name), [])
      if (typeof sealed !== 'string') return undefined
      context.set(read, sealed)
      return seal.open('session', sealed)
    },
    async save(context, text, occasion) {
      const former = nameIn(context)
      if (occasion === 'new' && former !== undefined) await remove(former)
      const name = occasion === 'new' ? randomBytes(32).toString('base64url') : former
      if (name === undefined) return []
      const args = [seal.seal('session', text), lifeMs, context.get(read) ?? '']
      const saved = await connection.run(SAVE[occasion], keyOf(name), args)
      return saved === null ? [] : cookies.write(context, seal.seal('session-name', name))
    },
    async drop(context) {
      const name = nameIn(context)
      if (name !== undefined) await remove(name)
      return cookies.expire(context)
    },
  }
}

function targetOf(redis: NonNullable<SessionConfig['redis']>): RedisTarget {
  return {
    kind: 'redis',
    addresses: [{ host: redis.host, port: redis.port }],
    username: redis.username,
    password: redis.password,
    database: redis.database,
    connectTimeoutMs: redis.connect_timeout,
    timeoutMs: redis.read_timeout,
    tls: redis.ssl ? { isVerified: redis.ssl_verify } : undefined,
  }
}
