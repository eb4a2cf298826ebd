import { STATUS_CODES } from 'node:http'
import type { OutgoingHttpHeaders } from 'node:http2'

/** gRPC's codes for what the gateway itself answers; what is not named is UNKNOWN. */
const GRPC_STATUS: ReadonlyMap<number, number> = new Map([
  [400, 13],
  [401, 16],
  [403, 7],
  [404, 12],
  [408, 4],
  [413, 8],
  [429, 8],
  [499, 1],
  [500, 13],
  [501, 12],
  [502, 14],
  [503, 14],
  [504, 4],
])
const UNKNOWN = 2

const GRPC = /^application\/grpc(?:$|[+; ])/i

/** Whether a request expects to be answered in gRPC's way; gRPC-Web does not. */
export function isGrpc(contentType: string | undefined): boolean {
  return contentType !== undefined && GRPC.test(contentType)
}

/** What a gRPC client is told in place of an HTTP status of 400 and above; `message` says why, the status's own words when absent. */
export function grpcStatus(status: number, message: string = STATUS_CODES[status] ?? 'Error') {
  return {
    'grpc-status': String(GRPC_STATUS.get(status) ?? UNKNOWN),
    'grpc-message': percentEncoded(message),
  } as const satisfies OutgoingHttpHeaders
}

/** As gRPC's HTTP/2 mapping has it: what is no printable ASCII, and `%`, byte by byte. */
function percentEncoded(message: string): string {
  return message.replace(/[^\x20-\x24\x26-\x7e]+/gu, (part) =>
    [...Buffer.from(part)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )
}
