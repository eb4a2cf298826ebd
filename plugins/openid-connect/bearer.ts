import type { InstanceHost, Reply, RequestContext } from '../../src/plugin/api.ts'
import { isRepeated } from '../_shared/auth/repeated.ts'
import { type Claims, compileAudience, compileScopes } from './claims.ts'
import { TokenError } from './errors.ts'
import { compileIntrospect } from './introspect.ts'
import type { Provider } from './provider.ts'
import type { OpenidConnectConfig } from './schema.ts'
import { compileVerify } from './verify.ts'

/** A bearer token that was accepted. */
export interface Bearer {
  readonly token: string
  /** What the introspection endpoint says; absent when the token was checked by its signature. */
  readonly user: Claims | undefined
}

/** What a request's bearer token comes to: an answer, an accepted token, or nothing when there is none. */
export type CheckBearer = (context: RequestContext) => Promise<Reply | Bearer | undefined>

const MALFORMED: Reply = { status: 400 }

/** Whether bearer tokens are looked at: else requests only have sessions. */
export function takesBearer(config: OpenidConnectConfig): boolean {
  const { bearer_only, introspection_endpoint, public_key, use_jwks } = config
  return bearer_only || introspection_endpoint !== undefined || public_key !== undefined || use_jwks
}

/** By signature with `public_key` or `use_jwks`, else by asking the provider. Rejects with ProviderError when it cannot be asked. */
export function compileBearer(
  config: OpenidConnectConfig,
  host: InstanceHost,
  provider: Provider,
): CheckBearer {
  const isSigned = config.public_key !== undefined || config.use_jwks
  const claimsOf = isSigned
    ? compileVerify(config, host, provider)
    : compileIntrospect(config, host, provider)
  const judges = [compileScopes(config), compileAudience(config)]
  const challenge = `Bearer realm="${config.realm}"`
  const missing: Reply = { status: 401, headers: { 'WWW-Authenticate': challenge } }
  return async (context) => {
    if (isRepeated(context.headers, 'authorization')) return invalid(challenge, 'credentials stand twice')
    const token = tokenOf(context)
    if (token === undefined) return config.bearer_only ? missing : undefined
    if (typeof token !== 'string') return token
    try {
      const claims = await claimsOf(token, context)
      for (const judge of judges) {
        const denied = judge(claims)
        if (denied) return denied
      }
      return { token, user: isSigned ? undefined : claims }
    } catch (error) {
      if (!(error instanceof TokenError)) throw error
      return invalid(challenge, error.message)
    }
  }
}

function invalid(challenge: string, description: string): Reply {
  const value = `${challenge}, error="invalid_token", error_description="${description}"`
  return { status: 401, headers: { 'WWW-Authenticate': value } }
}

/** From `Authorization`; from `X-Access-Token` when that is absent. */
function tokenOf({ headers }: RequestContext): string | Reply | undefined {
  const authorization = headers.get('authorization')
  if (authorization === undefined) return headers.get('x-access-token')
  const blank = authorization.indexOf(' ')
  if (blank === -1) return MALFORMED
  return authorization.slice(0, blank).toLowerCase() === 'bearer'
    ? authorization.slice(blank + 1).trim()
    : undefined
}
