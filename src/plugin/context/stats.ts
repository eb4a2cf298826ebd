import type { RequestStats } from './request-context.ts'

/** The concrete stats; the data path writes the fields, plugins read them through {@link RequestStats}. */
export class Stats implements RequestStats {
  readonly startedAt: number
  upstreamStartedAt = 0
  upstreamEndedAt = 0
  endedAt = 0
  /** Bytes of request line and headers as they stood on the wire, bodies apart. */
  requestHeadBytes = 0
  requestBodyBytes = 0
  responseHeadBytes = 0
  responseBodyBytes = 0
  readonly #monotonic: () => number

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
    this.startedAt = monotonic()
  }

  get upstreamMs(): number | undefined {
    if (this.upstreamStartedAt === 0) return undefined
    return (this.upstreamEndedAt || this.#monotonic()) - this.upstreamStartedAt
  }

  get totalMs(): number {
    return (this.endedAt || this.#monotonic()) - this.startedAt
  }

  get bytesReceived(): number {
    return this.requestHeadBytes + this.requestBodyBytes
  }

  get bytesSent(): number {
    return this.responseHeadBytes + this.responseBodyBytes
  }
}

/** What a head of these lines takes on the wire: the start line, `name: value` lines and the blank one. */
export function headBytes(startLine: number, raw: readonly string[]): number {
  let bytes = startLine + 4
  for (let i = 0; i < raw.length; i += 2) bytes += raw[i]!.length + raw[i + 1]!.length + 4
  return bytes
}
