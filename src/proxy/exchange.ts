import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Chain } from '../plugin/chain.ts'
import type { Context } from '../plugin/context/context.ts'
import type { Reply } from '../plugin/definition.ts'
import type { FailureReport } from '../plugin/run.ts'
import type { Plan } from '../snapshot/plan.ts'
import type { GatewayError } from './gateway-error.ts'
import type { RequestBody } from './request-body.ts'

/** What the data path needs to know of the settings; fixed for the process. */
export interface ProxyOptions {
  /** The `Server` header, or false for none. */
  readonly serverHeader: string | false
  /** `apisix.show_upstream_status_in_response_header`. */
  readonly showUpstreamStatus: boolean
}

/** One request between its two sides: what the hops share. Made by `http/open.ts`, ended by `http/close.ts`. */
export interface Exchange {
  readonly context: Context
  /** The client's request and our response to it; raw, owned by the HTTP server. */
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly body: RequestBody | undefined
  readonly options: ProxyOptions
  readonly report: FailureReport
  readonly plan: Plan | undefined
  /** The global rules' chain, then the route's; the consumer's plugins join the second one. */
  globalChain: Chain
  chain: Chain
  /** True once the client has left or the response has ended: nothing may be written any more. */
  isOver: boolean
  /** Set while an attempt is under way: ends it without a word. */
  abortAttempt: (() => void) | undefined
  /** Answers in the gateway's own name. Only as long as nothing was written. */
  answer(reply: Reply): void
  fail(error: GatewayError): void
}
