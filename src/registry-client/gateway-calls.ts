/** An answer of the registry that says no; `code` is its `error_code`, `HTTP_<status>` when it has none. */
export class RegistrationError extends Error {
  override readonly name = 'RegistrationError'
  readonly status: number
  readonly code: string

  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

export interface GatewayCallsOptions {
  /** Base addresses of admin listeners, `http://host:9180`. */
  readonly gateways: readonly string[]
  readonly key: string | undefined
  readonly timeoutMs: number
}

export interface GatewayCall {
  readonly method: string
  /** Below `/apisix/registry/`. */
  readonly path: string
  readonly body?: unknown
}

/** Calls the registry at the gateway that answered last, and at the others in turn when it does not. */
export class GatewayCalls {
  readonly #options: GatewayCallsOptions
  #turn = 0

  constructor(options: GatewayCallsOptions) {
    if (options.gateways.length === 0) throw new TypeError('gateways is empty; name at least one address')
    this.#options = options
  }

  /** The body of a good answer. Throws {@link RegistrationError} for a refusal, and why the last gateway could not be asked when none could. */
  async ask<T>(call: GatewayCall): Promise<T> {
    const { gateways } = this.#options
    let failure: unknown
    for (let attempt = 0; attempt < gateways.length; attempt++) {
      try {
        return await this.#askOne<T>(gateways[this.#turn % gateways.length]!, call)
      } catch (error) {
        // A refusal is the registry's and not this gateway's: the others would say the same.
        if (error instanceof RegistrationError && error.status < 500) throw error
        failure = error
        this.#turn++
      }
    }
    throw failure
  }

  async #askOne<T>(gateway: string, { method, path, body }: GatewayCall): Promise<T> {
    const { key, timeoutMs } = this.#options
    const response = await fetch(`${gateway.replace(/\/$/, '')}/apisix/registry/${path}`, {
      method,
      headers: { 'content-type': 'application/json', ...(key !== undefined && { 'x-api-key': key }) },
      signal: AbortSignal.timeout(timeoutMs),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (response.ok) return (text === '' ? undefined : JSON.parse(text)) as T
    throw refusalOf(response.status, text)
  }
}

function refusalOf(status: number, text: string): RegistrationError {
  try {
    const { error_code = `HTTP_${status}`, error_msg = text } = JSON.parse(text) as Record<string, string>
    return new RegistrationError(status, error_code, error_msg)
  } catch {
    // Something else than a gateway answered.
    return new RegistrationError(status, `HTTP_${status}`, text.slice(0, 200))
  }
}
