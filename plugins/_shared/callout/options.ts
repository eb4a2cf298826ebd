import type { HttpCall } from '../../../src/plugin/api.ts'
import type { CalloutConfig } from './schema.ts'

export type CalloutOptions = Required<Pick<HttpCall, 'timeoutMs' | 'isKeptAlive' | 'keepalive' | 'tls'>>

/** What a configuration says about its calls, in the terms of `host.http`; made once when it is compiled. */
export function calloutOptions(config: CalloutConfig): CalloutOptions {
  return {
    timeoutMs: config.timeout,
    isKeptAlive: config.keepalive,
    keepalive: { idleMs: config.keepalive_timeout, pool: config.keepalive_pool },
    tls: { verify: config.ssl_verify },
  }
}
