import { createHash, randomBytes } from 'node:crypto'
import type { InstanceHost, RequestContext } from '../../src/plugin/api.ts'
import { defineScript } from '../_shared/redis/script.ts'
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

/** Where sessions are kept. What changes gives lines for `Set-Cookie`. */
export interface SessionStore {
  load(context: RequestContext): Promise<string | undefined>
  /** `isNew` gives the session another name: nobody else can have known it before the login. */
  save(context: RequestContext, text: string, isNew: boolean): Promise<string[]>
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
const SET = defineScript("return redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])")
const DELETE = defineScript("return redis.call('DEL', KEYS[1])")

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
      return typeof sealed === 'string' ? seal.open('session', sealed) : undefined
    },
    async save(context, text, isNew) {
      const former = nameIn(context)
      if (isNew && former !== undefined) await remove(former)
      const name = isNew || former === undefined ? randomBytes(32).toString('base64url') : former
      await connection.run(SET, keyOf(name), [seal.seal('session', text), lifeMs])
      return cookies.write(context, seal.seal('session-name', name))
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
