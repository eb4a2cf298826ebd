import type { Reply } from '../plugin/definition.ts'

/** Which side an answer of the gateway's own is due to. */
export type FailureSource = 'client' | 'gateway' | 'upstream'

/** A request that ends without an upstream's answer. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError'
  /** Stable word for logs, metrics and documents. */
  readonly code: string
  readonly source: FailureSource
  readonly status: number
  /** What the client is told, where a bare status does not say enough. */
  readonly reply: Pick<Reply, 'body' | 'headers' | 'grpcStatus'> | undefined

  constructor(
    code: string,
    source: FailureSource,
    { status, message, reply }: { status: number; message: string; reply?: GatewayError['reply'] },
  ) {
    super(message)
    this.code = code
    this.source = source
    this.status = status
    this.reply = reply
  }
}
