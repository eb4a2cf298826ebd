import type { Headers } from '../../../src/plugin/api.ts'

/** How a call ended. */
export interface GrpcEnd {
  readonly status: string
  readonly message: string
  /** `grpc-status-details-bin`, decoded from base64. */
  readonly details: Buffer | undefined
}

/** Reads the end of a call from its trailers, or from the head of an answer that has no body ("Trailers-Only"). `undefined` when neither tells. */
export function endOfCall(headers: Headers, trailers: readonly string[] = []): GrpcEnd | undefined {
  const read = (name: string) => {
    const index = trailers.findIndex((text, at) => at % 2 === 0 && text.toLowerCase() === name)
    return index === -1 ? headers.get(name) : trailers[index + 1]
  }
  const status = read('grpc-status')
  if (status === undefined) return undefined
  const details = read('grpc-status-details-bin')
  return {
    status,
    message: percentDecoded(read('grpc-message') ?? ''),
    details: details === undefined ? undefined : Buffer.from(details, 'base64'),
  }
}

/** What is no valid sequence stays as it is (gRPC over HTTP/2, "Percent-Encoded"). */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
