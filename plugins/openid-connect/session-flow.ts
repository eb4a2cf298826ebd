import { type InstanceHost, type Reply, type RequestContext, requestSlot } from '../../src/plugin/api.ts'
import { compileAudience } from './claims.ts'
import { TokenError } from './errors.ts'
import type { Identity } from './identity-headers.ts'
import { Logins, redirect } from './login.ts'
import { logOut } from './logout.ts'
import type { Provider } from './provider.ts'
import { compileRedirectUri } from './redirect-uri.ts'
import type { OpenidConnectConfig } from './schema.ts'
import type { Session } from './session.ts'
import { Sessions } from './sessions.ts'
import { Renewals, redeem } from './tokens.ts'

/** Lines for `Set-Cookie` that go with the upstream's answer. */
export const newCookies = requestSlot<readonly string[]>('openid-connect: cookies')

/** What a request without bearer token comes to: an answer, or who makes it, `undefined` for nobody in particular. */
export type FollowSession = (context: RequestContext) => Promise<Reply | { identity: Identity | undefined }>

const NOBODY = { identity: undefined }
const DENIED: Reply = { status: 401 }
const NO_LOGIN: Reply = {
  status: 400,
  body: { message: 'this browser has not begun the login, or too long ago; begin anew' },
}
const REFUSED: Reply = { status: 401, body: { message: 'the provider does not accept the login' } }

/** Logins, sessions and logouts (contract §7.1). Rejects with ProviderError when the provider cannot be asked. */
export function compileSessionFlow(
  config: OpenidConnectConfig,
  host: InstanceHost,
  provider: Provider,
): FollowSession {
  const redirectUri = compileRedirectUri(config.redirect_uri)
  const flow = new SessionFlow({ config, host, provider, sessions: new Sessions(config, host), redirectUri })
  return (context) => {
    if (redirectUri.isHere(context)) return flow.comeBack(context)
    return context.path === config.logout_path ? flow.leave(context) : flow.pass(context)
  }
}

interface FlowParts {
  readonly config: OpenidConnectConfig
  readonly host: InstanceHost
  readonly provider: Provider
  readonly sessions: Sessions
  readonly redirectUri: ReturnType<typeof compileRedirectUri>
}

class SessionFlow {
  readonly #parts: FlowParts
  readonly #logins: Logins
  readonly #renewals: Renewals

  constructor(parts: FlowParts) {
    const { config, host, sessions, redirectUri } = parts
    this.#parts = parts
    this.#renewals = new Renewals(config, host)
    const { cookies, seal } = sessions
    this.#logins = new Logins({ config, cookies, seal, redirectUri, now: host.clock.now })
  }

  /** A request from the provider, with the code of a login that this browser began. */
  async comeBack(context: RequestContext): Promise<Reply> {
    const { config, host, provider, sessions } = this.#parts
    const finished = this.#logins.finish(context)
    if (!finished) return NO_LOGIN
    const { login, cookies } = finished
    try {
      const session = await redeem(context, login, {
        provider: await provider.open(),
        config,
        now: host.clock.now(),
      })
      const denied = compileAudience(config)(session.claims ?? {})
      if (denied) return withCookies(denied, cookies)
      return redirect(login.target, [...cookies, ...(await sessions.save(context, session, 'new'))])
    } catch (error) {
      if (!(error instanceof TokenError)) throw error
      host.logger.warn({ err: error }, 'a login failed')
      return withCookies(REFUSED, cookies)
    }
  }

  async leave(context: RequestContext): Promise<Reply> {
    const { config, host, provider, sessions } = this.#parts
    const session = await sessions.load(context)
    const cookies = await sessions.drop(context)
    return logOut(context, { session, cookies }, { config, host, provider: await provider.open() })
  }

  async pass(context: RequestContext): Promise<Reply | { identity: Identity | undefined }> {
    const { sessions } = this.#parts
    const known = await sessions.load(context)
    const session = known && (await this.#current(context, known))
    if (!session) return this.#unknown(context)
    sessions.cookies.hide(context)
    this.#logins.hide(context)
    return { identity: session }
  }

  /** The session with tokens that hold, nothing when they cannot be renewed. */
  async #current(context: RequestContext, session: Session): Promise<Session | undefined> {
    const { host, provider, sessions } = this.#parts
    if (!this.#renewals.isDue(session)) {
      context.set(newCookies, await sessions.noteUse(context, session))
      return session
    }
    try {
      const renewed = await this.#renewals.renew(session, await provider.open())
      context.set(newCookies, await sessions.save(context, renewed, 'renewed'))
      return renewed
    } catch (error) {
      if (!(error instanceof TokenError)) throw error
      host.logger.info({ reason: error.message }, 'a session is over, because its token cannot be renewed')
      return undefined
    }
  }

  async #unknown(context: RequestContext): Promise<Reply | { identity: undefined }> {
    const { config, provider } = this.#parts
    if (config.unauth_action === 'deny') return DENIED
    if (config.unauth_action === 'auth') return this.#logins.begin(context, await provider.open())
    this.#logins.hide(context)
    return NOBODY
  }
}

function withCookies(reply: Reply, cookies: readonly string[]): Reply {
  return { ...reply, headers: { ...reply.headers, 'Cache-Control': 'no-store', 'Set-Cookie': cookies } }
}
