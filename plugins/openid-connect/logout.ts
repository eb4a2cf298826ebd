import type { InstanceHost, Reply, RequestContext } from '../../src/plugin/api.ts'
import { redirect } from './login.ts'
import { originOf } from './origin.ts'
import type { OpenProvider } from './provider.ts'
import type { OpenidConnectConfig } from './schema.ts'
import type { Session } from './session.ts'

const LOGGED_OUT = '<!DOCTYPE html>\n<title>Logged out</title>\n<p>Logged out.</p>\n'

export interface LogoutParts {
  readonly config: OpenidConnectConfig
  readonly host: InstanceHost
  readonly provider: OpenProvider
}

/** Ends the session here and leads to where it ends at the provider; `cookies` takes it out of the browser. */
export async function logOut(
  context: RequestContext,
  ended: { readonly session: Session | undefined; readonly cookies: readonly string[] },
  parts: LogoutParts,
): Promise<Reply> {
  const { config, provider } = parts
  const { session, cookies } = ended
  if (config.revoke_tokens_on_logout && session) await revoke(session, parts)
  const configured = config.post_logout_redirect_uri
  const after = configured?.startsWith('/') ? `${originOf(context)}${configured}` : configured
  if (provider.metadata.end_session_endpoint !== undefined) {
    const params = {
      ...(session?.idToken !== undefined && { id_token_hint: session.idToken }),
      ...(after !== undefined && { post_logout_redirect_uri: after }),
    }
    return redirect(provider.library.buildEndSessionUrl(provider.client, params).href, cookies)
  }
  if (after !== undefined) return redirect(after, cookies)
  const headers = {
    'Content-Type': 'text/html; charset=utf-8',
    'Cache-Control': 'no-store',
    'Set-Cookie': cookies,
  }
  return { status: 200, headers, body: LOGGED_OUT }
}

/** A token that cannot be revoked is no reason to keep the session. */
async function revoke(session: Session, { host, provider }: LogoutParts): Promise<void> {
  const { library, client, metadata } = provider
  if (metadata.revocation_endpoint === undefined) return
  for (const token of [session.refreshToken, session.accessToken]) {
    if (token === undefined) continue
    try {
      await library.tokenRevocation(client, token)
    } catch (error) {
      host.logger.warn({ err: error }, 'a token of a session that ended cannot be revoked')
    }
  }
}
