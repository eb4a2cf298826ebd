import type { InstanceHost, Reply, RequestContext } from '../../../src/plugin/api.ts'

export interface RefusalOptions {
  /** Value of `WWW-Authenticate`. */
  readonly challenge: string
  readonly anonymousConsumer: string | undefined
}

/** Called when authentication fails; `message` goes to the client. Nothing returned means that the anonymous consumer stands in. */
export type Refuse = (context: RequestContext, message: string) => Reply | undefined

/** How authentication plugins say no: 401 with a challenge, or the anonymous consumer when one is configured (contract §6). */
export function compileRefusal(options: RefusalOptions, host: Pick<InstanceHost, 'logger'>): Refuse {
  const { challenge, anonymousConsumer } = options
  if (anonymousConsumer === undefined) return (_context, message) => unauthorized(message, challenge)
  return (context, message) => {
    const consumer = context.findConsumerByName(anonymousConsumer)
    if (consumer) {
      context.attachConsumer(consumer)
      return undefined
    }
    host.logger.warn({ anonymousConsumer, reason: message }, 'the anonymous consumer does not exist')
    return unauthorized('Invalid user authorization', challenge)
  }
}

function unauthorized(message: string, challenge: string): Reply {
  return { status: 401, body: { message }, headers: { 'WWW-Authenticate': challenge } }
}
