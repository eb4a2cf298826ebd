import { createHash } from 'node:crypto'
import type { InstanceHost, RequestContext } from '../../src/plugin/api.ts'
import { isHopByHop } from '../_shared/headers/hop-by-hop.ts'
import { ExpiringMap } from '../_shared/limit/expiring-map.ts'
import type { Claims } from './claims.ts'
import { ProviderError, TokenError } from './errors.ts'
import type { Provider } from './provider.ts'
import type { OpenidConnectConfig } from './schema.ts'

type Lines = Record<string, string[]>

interface Known {
  readonly claims: Claims
  /** Wall clock, ms. */
  readonly expiresAt: number
}

const MAX_KNOWN = 10_000

/**
 * Asks the provider about bearer tokens. Of a token that is active and says until when, the answer is kept that long, or for
 * `introspection_interval` when that is shorter (contract §7.1). The result rejects with {@link TokenError}, or {@link ProviderError}.
 */
export function compileIntrospect(config: OpenidConnectConfig, host: InstanceHost, provider: Provider) {
  const known = new ExpiringMap<Known>(MAX_KNOWN)
  const addons = (config.introspection_addon_headers ?? []).filter((name) => !isHopByHop(name))
  const issuers = config.claim_validator?.issuer?.valid_issuers
  return async (token: string, { headers, signal }: RequestContext): Promise<Claims> => {
    const extra: Lines = {}
    for (const name of addons) {
      const values = headers.all(name.toLowerCase())
      if (values.length > 0) extra[name.toLowerCase()] = values
    }
    const key = createHash('sha256')
      .update(JSON.stringify([token, extra]))
      .digest('base64url')
    const now = host.clock.now()
    const kept = known.get(key)
    if (kept && kept.expiresAt > now) return kept.claims
    const claims = await ask(token, { extra, signal }, provider)
    if (claims['active'] !== true) throw new TokenError('the token is not active')
    if (issuers && claims['iss'] !== undefined && !issuers.includes(claims['iss'] as string)) {
      throw new TokenError('the issuer of the token is not accepted')
    }
    const expiresAt = keptUntil(claims, config, now)
    if (expiresAt > now) known.insert(key, { claims, expiresAt }, now)
    return claims
  }
}

async function ask(
  token: string,
  { extra, signal }: { extra: Lines; signal: AbortSignal },
  provider: Provider,
): Promise<Claims> {
  const { library, introspector } = await provider.open()
  try {
    return await library.tokenIntrospection(introspector(extra, signal), token)
  } catch (error) {
    throw new ProviderError('the introspection endpoint of the provider cannot be asked', { cause: error })
  }
}

function keptUntil(claims: Claims, config: OpenidConnectConfig, now: number): number {
  const expiry = claims[config.introspection_expiry_claim]
  if (typeof expiry !== 'number' || config.jwt_verification_cache_ignore) return 0
  const interval = config.introspection_interval * 1000
  return interval === 0 ? expiry * 1000 : Math.min(expiry * 1000, now + interval)
}
