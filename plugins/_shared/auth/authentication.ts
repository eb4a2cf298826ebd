import type { FoundConsumer, InstanceHost, PhaseResult, RequestContext } from '../../../src/plugin/api.ts'
import { compileRefusal, type RefusalOptions } from './refusal.ts'

/** What is particular to one way of authentication. */
export interface Authentication extends RefusalOptions {
  /** The consumer whom the request comes from, or what the client is told when it comes from nobody. Leaves what the upstream gets alone. */
  identify(context: RequestContext): FoundConsumer | string | Promise<FoundConsumer | string>
  /** Takes the credentials out of what the upstream gets; absent when they stay. */
  readonly hide: ((context: RequestContext) => void) | undefined
}

/**
 * The `rewrite` phase of an authentication plugin (contract §6): attaches the consumer or the anonymous one, or refuses. Credentials
 * are hidden only from a request that goes on, so that another plugin of multi-auth still finds them.
 */
export function compileAuthentication(
  { identify, hide, ...options }: Authentication,
  host: Pick<InstanceHost, 'logger'>,
): (context: RequestContext) => PhaseResult | Promise<PhaseResult> {
  const refuse = compileRefusal(options, host)
  const settle = (context: RequestContext, found: FoundConsumer | string): PhaseResult => {
    if (typeof found === 'string') {
      const refusal = refuse(context, found)
      if (refusal) return refusal
    } else {
      context.attachConsumer(found)
    }
    hide?.(context)
    return undefined
  }
  return (context) => {
    const found = identify(context)
    return found instanceof Promise ? found.then((one) => settle(context, one)) : settle(context, found)
  }
}
