import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Chain } from '../plugin/chain.ts'
import type { Context } from '../plugin/context/context.ts'
import type { Reply } from '../plugin/definition.ts'
import type { Instance } from '../plugin/instance.ts'
import type { FailureReport } from '../plugin/run.ts'
import type { Plan } from '../snapshot/plan.ts'
import type { GatewayError } from './gateway-error.ts'
import type { OpenTunnels } from './open-tunnels.ts'
import type { RequestBody } from './request-body.ts'

/** What the data path needs to know of the settings; fixed for the process. */
export interface ProxyOptions {
  /** The `Server` header, or false for none. */
  readonly serverHeader: string | false
  /** `apisix.show_upstream_status_in_response_header`. */
  readonly showUpstreamStatus: boolean
  readonly tunnels: OpenTunnels
  /** Server-sent events, which end between two of them. */
  readonly eventStreams: OpenTunnels
  readonly debug: DebugSwitches
}

/** What is shown of the plugins' work, switched while the gateway runs. */
export interface DebugSwitches {
  /** `Apisix-Plugins` on every response. */
  pluginsHeader: boolean
  /** `X-Gatewright-Rejected-By` on answers of 400 and above that a plugin gave. */
  rejectedByHeader: boolean
}

/** One request between its two sides: what the hops share. Made by `http/open.ts`, ended by `http/close.ts`. */
export interface Exchange {
  readonly context: Context
  /** The client's request and our response to it; raw, owned by the HTTP server. */
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly body: RequestBody | undefined
  /** The protocol that the client asks to switch to, in a request whose route allows it: `Upgrade` as sent. */
  readonly upgrade: string | undefined
  readonly options: ProxyOptions
  readonly report: FailureReport
  readonly phaseTimeoutMs: number
  failed?: Instance | undefined
  readonly plan: Plan | undefined
  /** The global rules' chain, then the route's; the consumer's plugins join the second one. */
  globalChain: Chain
  chain: Chain
  /** True once the client has left or the response has ended: nothing may be written any more. */
  isOver: boolean
  /** Set while attempts are under way. */
  attempts: Attempts | undefined
  /** Answers in the gateway's own name, as long as nothing was written. Never throws. */
  answer(reply: Reply): void
  /** Ends a request that cannot be served: with an answer, or by cutting the connection when one has begun. Never throws. */
  fail(error: GatewayError): void
  /** The same for what nothing expected: a bland 500, the cause in the log. Never throws. */
  crash(error: unknown): void
}

/** The attempts of one request at its upstream. */
export interface Attempts {
  /** Ends them without a word. */
  abort(): void
}
