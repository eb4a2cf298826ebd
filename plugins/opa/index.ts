import { definePlugin, type InstanceHost, type Reply, type RequestContext } from '../../src/plugin/api.ts'
import { noteTold } from '../_shared/auth/told-upstream.ts'
import { calloutOptions } from '../_shared/callout/options.ts'
import { checkServiceUrl } from '../_shared/callout/service-url.ts'
import { isHopByHop } from '../_shared/headers/hop-by-hop.ts'
import { compileClearIdentity } from '../_shared/headers/identity.ts'
import { type Decision, readDecision } from './decision.ts'
import { describeRequest } from './input.ts'
import { type OpaConfig, schema } from './schema.ts'

const UNREACHABLE: Reply = { status: 403 }
const UNREADABLE: Reply = { status: 503 }

/** Lets a policy of the Open Policy Agent decide (contract §7.1). */
export default definePlugin<OpaConfig>({
  name: 'opa',
  priority: 2001,
  phases: ['access'],
  schema,
  check(config) {
    checkServiceUrl(config.host, 'host')
  },
  compile(config, host) {
    checkServiceUrl(config.host, 'host')
    const decide = compileDecide(config, host)
    const tellUpstream = compileTellUpstream(config)
    return {
      async access(context) {
        const decision = await decide(describeRequest(context, config, host), context.signal)
        if ('status' in decision) return decision
        if (!decision.isAllowed) return decision.refusal
        tellUpstream(context, decision)
        return undefined
      },
    }
  },
})

/** Asks the agent. Gives its decision, or the answer to a client for whom there is none; the reason is logged. */
function compileDecide(config: OpaConfig, host: InstanceHost) {
  const call = {
    ...calloutOptions(config),
    url: `${config.host.replace(/\/+$/, '')}/v1/data/${config.policy.replace(/^\/+/, '')}`,
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    isRepeatable: true,
  }
  return async (body: string, signal: AbortSignal): Promise<Decision | Reply> => {
    const answer = await host.http.call({ ...call, body, signal }).catch((error: unknown) => {
      // Else nobody is there any more, and the call was given up.
      if (!signal.aborted) host.logger.error({ err: error }, 'the policy agent cannot be asked')
      return undefined
    })
    if (!answer) return UNREACHABLE
    try {
      return readDecision(answer.body)
    } catch (error) {
      const { status } = answer
      host.logger.error({ err: error, status }, 'the decision of the policy agent cannot be read')
      return UNREADABLE
    }
  }
}

/** Tells the upstream what the policy says of the client, and nothing that the client says of itself under the same names. */
function compileTellUpstream({ send_headers_upstream = [] }: OpaConfig) {
  const names = send_headers_upstream.filter((name) => !isHopByHop(name))
  const clear = compileClearIdentity(names)
  return (context: RequestContext, decision: Decision): void => {
    const { headers } = context
    clear(headers)
    const told = names.filter((name) => decision.headers[name.toLowerCase()])
    for (const name of told) headers.set(name, decision.headers[name.toLowerCase()]!)
    noteTold(context, told)
  }
}
