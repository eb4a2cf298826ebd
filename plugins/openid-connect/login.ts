import { createHash, randomBytes } from 'node:crypto'
import type { Reply, RequestContext } from '../../src/plugin/api.ts'
import type { Cookies } from './cookies.ts'
import type { OpenProvider } from './provider.ts'
import type { RedirectUri } from './redirect-uri.ts'
import type { OpenidConnectConfig } from './schema.ts'
import type { Seal } from './seal.ts'

/** A login that was begun; kept by the browser that began it, so that it cannot be finished in another one. */
export interface PendingLogin {
  readonly state: string
  readonly nonce?: string | undefined
  readonly verifier?: string | undefined
  readonly redirectUri: string
  /** Path and query to go back to; begins with exactly one slash. */
  readonly target: string
  /** Wall clock, ms. */
  readonly expiresAt: number
}

export interface LoginParts {
  readonly config: OpenidConnectConfig
  readonly cookies: Cookies
  readonly seal: Seal
  readonly redirectUri: RedirectUri
  readonly now: () => number
}

const LOGIN_SECONDS = 600
/** Logins that a browser can have begun at a time, in several tabs; of more, the oldest are forgotten. */
const MAX_PENDING = 6

const random = () => randomBytes(32).toString('base64url')

/** Logins between the way to the provider and the way back. */
export class Logins {
  readonly #parts: LoginParts

  constructor(parts: LoginParts) {
    this.#parts = parts
  }

  /** Sends the browser to the provider. */
  begin(context: RequestContext, { library, client }: OpenProvider): Reply {
    const { config, redirectUri, seal, now } = this.#parts
    const login: PendingLogin = {
      state: random(),
      nonce: config.use_nonce ? random() : undefined,
      verifier: config.use_pkce ? random() : undefined,
      redirectUri: redirectUri.of(context),
      target: targetOf(context),
      expiresAt: now() + LOGIN_SECONDS * 1000,
    }
    const location = library.buildAuthorizationUrl(client, authorizationParams(config, login)).href
    const cookie = { name: this.#cookieOf(login.state), maxAgeSeconds: LOGIN_SECONDS }
    const lines = this.#parts.cookies.write(context, seal.seal('login', JSON.stringify(login)), cookie)
    return redirect(location, [...this.#forgotten(context), ...lines])
  }

  /** The login that a request from the provider belongs to, and what takes its cookie away. */
  finish(context: RequestContext): { login: PendingLogin; cookies: string[] } | undefined {
    const state = context.arg('state')
    if (state === undefined) return undefined
    const name = this.#cookieOf(state)
    const login = this.#read(context, name)
    if (login?.state !== state || login.expiresAt <= this.#parts.now()) return undefined
    return { login, cookies: this.#parts.cookies.expire(context, name) }
  }

  hide(context: RequestContext): void {
    for (const name of this.#parts.cookies.named(context, this.#prefix))
      this.#parts.cookies.hide(context, name)
  }

  #forgotten(context: RequestContext): string[] {
    const { cookies } = this.#parts
    const pending = cookies.named(context, this.#prefix)
    if (pending.length < MAX_PENDING) return []
    const known = pending.map((name) => ({ name, expiresAt: this.#read(context, name)?.expiresAt ?? 0 }))
    known.sort((one, other) => other.expiresAt - one.expiresAt)
    return known.slice(MAX_PENDING - 1).flatMap(({ name }) => cookies.expire(context, name))
  }

  #read(context: RequestContext, name: string): PendingLogin | undefined {
    const { cookies, seal } = this.#parts
    const sealed = cookies.read(context, name)
    const text = sealed === undefined ? undefined : seal.open('login', sealed)
    return text === undefined ? undefined : (JSON.parse(text) as PendingLogin)
  }

  get #prefix(): string {
    return `${this.#parts.cookies.name}_login_`
  }

  #cookieOf(state: string): string {
    return `${this.#prefix}${createHash('sha256').update(state).digest('hex').slice(0, 16)}`
  }
}

function authorizationParams(config: OpenidConnectConfig, login: PendingLogin): Record<string, string> {
  const own = Object.entries(config.authorization_params ?? {}).map(([name, value]) => [name, String(value)])
  return {
    ...Object.fromEntries(own),
    redirect_uri: login.redirectUri,
    scope: config.scope,
    state: login.state,
    ...(login.nonce !== undefined && { nonce: login.nonce }),
    ...(login.verifier !== undefined && {
      code_challenge: createHash('sha256').update(login.verifier).digest('base64url'),
      code_challenge_method: 'S256',
    }),
  }
}

/** Where the client was going, on this gateway: one slash at the start, since `//host` would be another one's. */
function targetOf(context: RequestContext): string {
  return `/${context.upstream.target.replace(/^[/\\]+/, '')}`
}

/** Answers are never kept by caches: they are for one browser. */
export function redirect(location: string, cookies: readonly string[]): Reply {
  return { status: 302, headers: { Location: location, 'Cache-Control': 'no-store', 'Set-Cookie': cookies } }
}
