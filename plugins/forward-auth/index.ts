import {
  definePlugin,
  type HttpAnswer,
  type InstanceHost,
  type Reply,
  type RequestContext,
} from '../../src/plugin/api.ts'
import { noteTold } from '../_shared/auth/told-upstream.ts'
import { calloutOptions } from '../_shared/callout/options.ts'
import { checkServiceUrl } from '../_shared/callout/service-url.ts'
import { isHopByHop } from '../_shared/headers/hop-by-hop.ts'
import { compileClearIdentity } from '../_shared/headers/identity.ts'
import { checkQuestion, compileQuestion } from './question.ts'
import { type ForwardAuthConfig, schema } from './schema.ts'

/** Asks another service whether a request may go on (contract §7.1). */
export default definePlugin<ForwardAuthConfig>({
  name: 'forward-auth',
  priority: 2002,
  phases: ['access'],
  schema,
  check(config) {
    checkServiceUrl(config.uri, 'uri')
    checkQuestion(config)
  },
  compile(config, host) {
    checkServiceUrl(config.uri, 'uri')
    const ask = compileAsk(config, host)
    const pass = compilePass(config)
    const refuse = compileRefuse(config)
    const unavailable: Reply = { status: config.status_on_error }
    return {
      async access(context) {
        const answer = await ask(context)
        if (answer && answer.status >= 300) return refuse(answer)
        if (!answer && !config.allow_degradation) return unavailable
        pass(context, answer)
        return undefined
      },
    }
  },
})

/** Gives the service's answer, nothing when it cannot be had; the reason is logged. */
function compileAsk(config: ForwardAuthConfig, host: InstanceHost) {
  const { uri: url, request_method: method, max_req_body_size: maxBytes } = config
  const questionFor = compileQuestion(config)
  // A service decides, it does not act: to ask it again is safe, also with POST.
  const options = { ...calloutOptions(config), url, method, isRepeatable: true }
  return async (context: RequestContext): Promise<HttpAnswer | undefined> => {
    const headers = questionFor(context)
    const body = method === 'POST' ? { body: await context.readBody(maxBytes) } : {}
    try {
      return await host.http.call({ ...options, headers, ...body, signal: context.signal })
    } catch (error) {
      // Nobody is there any more: the call was given up.
      if (context.signal.aborted) return undefined
      host.logger.warn({ err: error }, 'the authorization service cannot be asked')
      return undefined
    }
  }
}

/** Tells the upstream what the service said of the client, and nothing that the client says of itself under the same names. */
function compilePass({ upstream_headers }: ForwardAuthConfig) {
  const names = upstream_headers.filter((name) => !isHopByHop(name))
  const clear = compileClearIdentity(names)
  return (context: RequestContext, answer: HttpAnswer | undefined): void => {
    const { headers } = context
    clear(headers)
    const told = answer ? names.filter((name) => answer.headers.has(name.toLowerCase())) : []
    for (const name of told) headers.set(name, answer!.headers.all(name.toLowerCase()))
    noteTold(context, told)
  }
}

function compileRefuse({ client_headers }: ForwardAuthConfig) {
  const names = client_headers.filter((name) => !isHopByHop(name))
  return ({ status, headers, body }: HttpAnswer): Reply => {
    const shown: Record<string, string[]> = {}
    for (const name of names) {
      const values = headers.all(name.toLowerCase())
      if (values.length > 0) shown[name] = values
    }
    return { status, headers: shown, body }
  }
}
