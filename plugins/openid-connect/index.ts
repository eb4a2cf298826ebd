import { definePlugin, type InstanceHost, type Reply, type RequestContext } from '../../src/plugin/api.ts'
import { RedisUnavailableError } from '../_shared/redis/connection.ts'
import { type CheckBearer, compileBearer, takesBearer } from './bearer.ts'
import { ProviderError } from './errors.ts'
import { clearIdentity, compileTellUpstream, type Identity } from './identity-headers.ts'
import { Provider } from './provider.ts'
import { checkRules } from './rules.ts'
import { type OpenidConnectConfig, schema } from './schema.ts'
import { compileSessionFlow, type FollowSession, newCookies } from './session-flow.ts'

const UNAVAILABLE: Reply = { status: 503 }

/** Lets people in whom an OpenID provider knows, by bearer tokens or by a login with a session (contract §7.1). */
export default definePlugin<OpenidConnectConfig>({
  name: 'openid-connect',
  priority: 2599,
  phases: ['rewrite', 'headerFilter'],
  schema,
  secretFields: ['client_secret', 'client_rsa_private_key', 'session.secret', 'session.redis.password'],
  check: checkRules,
  compile(config, host) {
    checkRules(config)
    const identify = compileIdentify(config, host)
    const tellUpstream = compileTellUpstream(config)
    return {
      async rewrite(context) {
        try {
          const found = await identify(context)
          if ('status' in found) return found
          admit(context, found.identity)
          return undefined
        } catch (error) {
          if (!isOutage(error)) throw error
          // Else the client has left, and the provider's answer with it.
          if (!context.signal.aborted) host.logger.error({ err: error }, 'nobody can be identified')
          return UNAVAILABLE
        }
      },
      headerFilter(context) {
        for (const line of context.get(newCookies) ?? []) context.response.headers.append('Set-Cookie', line)
      },
    }

    function admit({ headers }: RequestContext, identity: Identity | undefined): void {
      clearIdentity(headers)
      if (config.set_access_token_header && config.access_token_in_authorization_header)
        headers.remove('authorization')
      if (identity) tellUpstream(headers, identity)
    }
  },
})

function isOutage(error: unknown): boolean {
  return error instanceof ProviderError || error instanceof RedisUnavailableError
}

/** Bearer tokens first, where they count; a request without one has a session, or begins a login. */
function compileIdentify(config: OpenidConnectConfig, host: InstanceHost): FollowSession {
  const provider = new Provider(config, host)
  const checkBearer: CheckBearer = takesBearer(config)
    ? compileBearer(config, host, provider)
    : async () => undefined
  const followSession = config.bearer_only ? undefined : compileSessionFlow(config, host, provider)
  return async (context) => {
    const found = await checkBearer(context)
    if (found && 'status' in found) return found
    if (found) return { identity: { accessToken: found.token, user: found.user } }
    return followSession ? followSession(context) : { identity: undefined }
  }
}
