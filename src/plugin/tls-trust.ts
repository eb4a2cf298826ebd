import { createSecureContext, type SecureContext } from 'node:tls'

/** The options of `tls.connect` by which the other side's certificate is checked, or not. */
export interface TlsCheck {
  readonly rejectUnauthorized: boolean
  readonly secureContext?: SecureContext
}

/** Whom plugins trust to vouch for services. */
export class TlsTrust {
  /** PEM, `undefined` for the authorities of Node.js. */
  readonly authorities: string | undefined
  #context: SecureContext | undefined

  constructor(authorities?: string) {
    this.authorities = authorities
  }

  check(isVerified: boolean): TlsCheck {
    if (!isVerified || this.authorities === undefined) return { rejectUnauthorized: isVerified }
    // One for all connections: to read the authorities of a system takes milliseconds.
    this.#context ??= createSecureContext({ ca: this.authorities })
    return { rejectUnauthorized: true, secureContext: this.#context }
  }
}
