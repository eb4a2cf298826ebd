import { createHash } from 'node:crypto'
import type * as Oidc from 'openid-client'
import type { InstanceHost, RequestContext } from '../../src/plugin/api.ts'
import type { Claims } from './claims.ts'
import { ProviderError, TokenError } from './errors.ts'
import type { PendingLogin } from './login.ts'
import type { OpenProvider } from './provider.ts'
import type { OpenidConnectConfig } from './schema.ts'
import type { Session } from './session.ts'

type Tokens = Oidc.TokenEndpointResponse & Oidc.TokenEndpointResponseHelpers

/** Requests of one page come together, and some arrive with the session as it was: they all get the outcome of one renewal. */
const RENEWAL_SHARED_MS = 10_000
const MAX_RENEWALS = 10_000

/**
 * Redeems the code of a finished login. Rejects with {@link TokenError} when provider or tokens say no, and with {@link ProviderError}
 * when the provider cannot be asked.
 */
export async function redeem(
  context: RequestContext,
  login: PendingLogin,
  { provider, config, now }: { provider: OpenProvider; config: OpenidConnectConfig; now: number },
): Promise<Session> {
  const { library, client, metadata } = provider
  const url = new URL(`${login.redirectUri}?${context.queryString}`)
  const tokens = await orExplain(
    library,
    library.authorizationCodeGrant(client, url, {
      expectedState: login.state,
      idTokenExpected: true,
      ...(login.nonce !== undefined && { expectedNonce: login.nonce }),
      ...(login.verifier !== undefined && { pkceCodeVerifier: login.verifier }),
    }),
  )
  const claims = tokens.claims() as Claims
  const asksUser = config.set_userinfo_header && metadata.userinfo_endpoint !== undefined
  const user = asksUser
    ? await orExplain(library, library.fetchUserInfo(client, tokens.access_token, claims['sub'] as string))
    : undefined
  return { createdAt: now, seenAt: now, claims, user, ...contentsOf(tokens, config, now) }
}

function contentsOf(tokens: Tokens, config: OpenidConnectConfig, now: number) {
  const lifeSeconds = tokens.expiresIn() ?? config.access_token_expires_in
  return {
    accessToken: tokens.access_token,
    refreshToken: tokens.refresh_token,
    idToken: tokens.id_token,
    expiresAt: lifeSeconds === undefined ? undefined : now + lifeSeconds * 1000,
  }
}

/** Renews sessions whose access token is over, each once, however many requests find it so. */
export class Renewals {
  readonly #config: OpenidConnectConfig
  readonly #host: InstanceHost
  readonly #underWay = new Map<string, Promise<Session>>()

  constructor(config: OpenidConnectConfig, host: InstanceHost) {
    this.#config = config
    this.#host = host
  }

  isDue({ expiresAt }: Session): boolean {
    const { renew_access_token_on_expiry, access_token_expires_leeway } = this.#config
    if (!renew_access_token_on_expiry || expiresAt === undefined) return false
    return this.#host.clock.now() >= expiresAt - access_token_expires_leeway * 1000
  }

  /** Rejects as {@link redeem} does, also with a session that has no refresh token. */
  renew(session: Session, provider: OpenProvider): Promise<Session> {
    const { refreshToken } = session
    if (refreshToken === undefined) return Promise.reject(new TokenError('there is no refresh token'))
    const key = createHash('sha256').update(refreshToken).digest('base64url')
    let renewal = this.#underWay.get(key)
    if (!renewal) {
      renewal = this.#ask(session, refreshToken, provider)
      if (this.#underWay.size < MAX_RENEWALS) {
        this.#underWay.set(key, renewal)
        this.#host.after(RENEWAL_SHARED_MS, () => this.#underWay.delete(key))
      }
    }
    return renewal
  }

  async #ask(session: Session, refreshToken: string, { library, client }: OpenProvider): Promise<Session> {
    const tokens = await orExplain(library, library.refreshTokenGrant(client, refreshToken))
    const now = this.#host.clock.now()
    const renewed = contentsOf(tokens, this.#config, now)
    return {
      ...session,
      ...renewed,
      seenAt: now,
      refreshToken: renewed.refreshToken ?? refreshToken,
      idToken: renewed.idToken ?? session.idToken,
      claims: (tokens.claims() as Claims | undefined) ?? session.claims,
    }
  }
}

/** What the provider, or the check of its answer, objects to is the token's fault; anything else is the provider's. */
async function orExplain<T>(library: typeof Oidc, answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    const isRefusal = error instanceof library.AuthorizationResponseError || isClientFault(library, error)
    if (isRefusal) throw new TokenError('the provider does not accept the login', { cause: error })
    throw new ProviderError('the provider cannot be asked', { cause: error })
  }
}

/** `invalid_client` and the like are for whoever configured the gateway. */
const REFUSALS: ReadonlySet<string> = new Set(['invalid_grant', 'access_denied', 'interaction_required'])
/** The library's codes for an answer that does not fit the login: another state or nonce, a signature or time that is wrong. */
const UNFIT = /^OAUTH_(?:JWT_|INVALID_RESPONSE$|KEY_SELECTION|JSON_ATTRIBUTE)/

function isClientFault(library: typeof Oidc, error: unknown): boolean {
  if (error instanceof library.ResponseBodyError) return REFUSALS.has(error.error)
  return UNFIT.test(String((error as { code?: unknown }).code))
}
