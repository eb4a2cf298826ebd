import type { InstanceHost, RequestContext } from '../../src/plugin/api.ts'
import { Cookies } from './cookies.ts'
import type { OpenidConnectConfig } from './schema.ts'
import { Seal } from './seal.ts'
import { cookieStore, type Occasion, redisStore, type Session, type SessionStore } from './session.ts'

/** A session that is used is written anew when it was last seen so long ago, not at each request. */
const NOTED_EVERY_MS = 60_000

/** The sessions of one configuration: read, renewed by use, and ended by their three time limits. */
export class Sessions {
  readonly cookies: Cookies
  readonly seal: Seal
  readonly #store: SessionStore
  readonly #limits: { readonly idleMs: number; readonly absoluteMs: number }
  readonly #contents: NonNullable<OpenidConnectConfig['session_contents']>
  readonly #now: () => number

  constructor(config: OpenidConnectConfig, host: InstanceHost) {
    const session = config.session!
    this.cookies = new Cookies(session)
    // Neither the session of another client or provider counts here, nor one that was let in by other rules.
    const { discovery, client_id, claim_validator } = config
    this.seal = new Seal(
      session.secret,
      JSON.stringify(['openid-connect', discovery, client_id, claim_validator]),
    )
    const parts = { config: session, cookies: this.cookies, seal: this.seal }
    this.#store = session.storage === 'redis' ? redisStore(parts, host) : cookieStore(parts)
    const idle = [session.idling_timeout, session.rolling_timeout].filter((seconds) => seconds > 0)
    this.#limits = {
      idleMs: Math.min(...idle.map((seconds) => seconds * 1000)),
      absoluteMs: session.absolute_timeout * 1000 || Number.POSITIVE_INFINITY,
    }
    this.#contents = config.session_contents ?? {
      access_token: true,
      id_token: true,
      enc_id_token: true,
      user: true,
    }
    this.#now = host.clock.now
  }

  async load(context: RequestContext): Promise<Session | undefined> {
    const text = await this.#store.load(context)
    if (text === undefined) return undefined
    const session = JSON.parse(text) as Session
    const now = this.#now()
    const isAlive =
      now - session.seenAt < this.#limits.idleMs && now - session.createdAt < this.#limits.absoluteMs
    return isAlive ? session : undefined
  }

  /** Lines for `Set-Cookie`, none when the session was noted lately. */
  async noteUse(context: RequestContext, session: Session): Promise<string[]> {
    const now = this.#now()
    if (now - session.seenAt < Math.min(NOTED_EVERY_MS, this.#limits.idleMs / 4)) return []
    return this.save(context, { ...session, seenAt: now }, 'used')
  }

  save(context: RequestContext, session: Session, occasion: Occasion): Promise<string[]> {
    const { access_token, id_token, enc_id_token, user } = this.#contents
    const kept: Session = {
      ...session,
      accessToken: access_token ? session.accessToken : undefined,
      refreshToken: access_token ? session.refreshToken : undefined,
      claims: id_token ? session.claims : undefined,
      idToken: enc_id_token ? session.idToken : undefined,
      user: user ? session.user : undefined,
    }
    return this.#store.save(context, JSON.stringify(kept), occasion)
  }

  drop(context: RequestContext): Promise<string[]> {
    return this.#store.drop(context)
  }
}
