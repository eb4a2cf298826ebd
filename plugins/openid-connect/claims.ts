import type { Reply } from '../../src/plugin/api.ts'
import type { OpenidConnectConfig } from './schema.ts'

/** What a token says, or what the provider says of it. */
export type Claims = Readonly<Record<string, unknown>>

/** The answer to a token that is good but not good enough. */
export type Judge = (claims: Claims) => Reply | undefined

const DENIED = (error: string): Reply => ({
  status: 403,
  headers: { 'Content-Type': 'application/json' },
  body: JSON.stringify({ error }),
})

/** `required_scopes`, for bearer tokens (contract §7.1). */
export function compileScopes({ required_scopes: required = [] }: OpenidConnectConfig): Judge {
  const denied = DENIED(`required scopes ${required.join(', ')} not present`)
  return ({ scope }) => {
    const given = Array.isArray(scope) ? scope : typeof scope === 'string' ? scope.split(' ') : []
    return required.every((one) => given.includes(one)) ? undefined : denied
  }
}

/** `claim_validator.audience`. */
export function compileAudience({ claim_validator, client_id }: OpenidConnectConfig): Judge {
  const rules = claim_validator?.audience
  if (!rules) return () => undefined
  const missing = DENIED('required audience claim not present')
  const mismatched = DENIED('mismatched audience')
  return (claims) => {
    const audience = Object.hasOwn(claims, rules.claim) ? claims[rules.claim] : undefined
    if (audience === undefined || audience === null) return rules.required ? missing : undefined
    if (!rules.match_with_client_id) return undefined
    const isMeant = Array.isArray(audience) ? audience.includes(client_id) : audience === client_id
    return isMeant ? undefined : mismatched
  }
}
