import type { Headers } from '../../src/plugin/api.ts'
import { compileClearIdentity } from '../_shared/headers/identity.ts'
import type { Claims } from './claims.ts'
import type { OpenidConnectConfig } from './schema.ts'

/** What the upstream may be told of whoever makes a request. */
export interface Identity {
  readonly accessToken?: string | undefined
  readonly refreshToken?: string | undefined
  /** As it came, and what it says. */
  readonly idToken?: string | undefined
  readonly claims?: Claims | undefined
  readonly user?: Claims | undefined
}

const NAMES = ['X-Access-Token', 'X-ID-Token', 'X-Raw-ID-Token', 'X-Userinfo', 'X-Refresh-Token']

/** Takes out whatever the client sends under the names of these headers, in every spelling. */
export const clearIdentity = compileClearIdentity(NAMES)

/** Sets the headers that the configuration asks for. Run {@link clearIdentity} before. */
export function compileTellUpstream(config: OpenidConnectConfig) {
  return (headers: Headers, identity: Identity): void => {
    const { accessToken, refreshToken, idToken, claims, user } = identity
    if (config.set_access_token_header && accessToken !== undefined) {
      if (config.access_token_in_authorization_header) headers.set('Authorization', `Bearer ${accessToken}`)
      else headers.set('X-Access-Token', accessToken)
    }
    if (config.set_id_token_header && claims) headers.set('X-ID-Token', base64(claims))
    if (config.set_raw_id_token_header && idToken !== undefined) headers.set('X-Raw-ID-Token', idToken)
    if (config.set_userinfo_header && user) headers.set('X-Userinfo', base64(user))
    if (config.set_refresh_token_header && refreshToken !== undefined)
      headers.set('X-Refresh-Token', refreshToken)
  }
}

function base64(claims: Claims): string {
  return Buffer.from(JSON.stringify(claims)).toString('base64')
}
