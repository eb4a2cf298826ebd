import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import type { UpstreamTls } from '../model/types.ts'
import type { ClientCertificate, ClientCertificates } from './client-certificates.ts'

export interface TlsContextsOptions {
  readonly clientCertificates: ClientCertificates
  /** PEM of the authorities that nodes are checked with; Node's own when absent. */
  readonly trustedCertificates: string | undefined
}

interface Entry {
  readonly context: SecureContext
  /** What stood under `client_cert_id` when it was made. */
  readonly client: ClientCertificate | undefined
}

/** What connections to nodes are secured with, made once per `tls` of an upstream and again when its client certificate changes. */
export class TlsContexts {
  readonly #options: TlsContextsOptions
  readonly #byTls = new WeakMap<UpstreamTls, Entry>()
  /** Upstreams without a client certificate share one, checked or not. */
  readonly #anonymous = new Map<boolean, SecureContext>()

  constructor(options: TlsContextsOptions) {
    this.#options = options
  }

  /** Throws, naming what is missing, when the client certificate cannot be used. */
  contextFor(tls: UpstreamTls = {}): SecureContext {
    const isChecked = tls.verify === true
    if (tls.client_cert === undefined && tls.client_cert_id === undefined)
      return this.#withoutClient(isChecked)
    const client = this.#clientOf(tls)
    const known = this.#byTls.get(tls)
    if (known && isSameClient(known.client, client)) return known.context
    const context = createSecureContext({ ...this.#authorities(isChecked), ...client })
    this.#byTls.set(tls, { context, client })
    return context
  }

  #withoutClient(isChecked: boolean): SecureContext {
    let context = this.#anonymous.get(isChecked)
    if (!context) {
      context = createSecureContext(this.#authorities(isChecked))
      this.#anonymous.set(isChecked, context)
    }
    return context
  }

  #authorities(isChecked: boolean): SecureContextOptions {
    const { trustedCertificates: ca } = this.#options
    return isChecked && ca !== undefined ? { ca } : {}
  }

  #clientOf({ client_cert_id: id, client_cert, client_key }: UpstreamTls): ClientCertificate {
    if (id === undefined) return { cert: [client_cert!], key: [client_key!] }
    const client = this.#options.clientCertificates.get(String(id))
    if (!client) throw new Error(`tls.client_cert_id: there is no enabled ssl "${id}" of type client`)
    return client
  }
}

/** By value where it stands in the upstream itself: it is taken apart anew each time. */
function isSameClient(one: ClientCertificate | undefined, other: ClientCertificate): boolean {
  return one === other || (one?.cert[0] === other.cert[0] && one?.key[0] === other.key[0])
}
