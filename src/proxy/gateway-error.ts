/** Which side an answer of the gateway's own is due to. */
export type FailureSource = 'client' | 'gateway' | 'upstream'

/** A request that ends without an upstream's answer. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  /** Stable word for logs, metrics and documents. */
  readonly code: string
  readonly source: FailureSource
  readonly status: number

  constructor(code: string, source: FailureSource, { status, message }: { status: number; message: string }) {
    super(message)
    this.code = code
    this.source = source
    this.status = status
  }
}
