import {
  type BodyFilter,
  BodyTooLargeError,
  compileExpression,
  type RequestContext,
  requestSlot,
} from '../../../src/plugin/api.ts'
import { decodeBody } from './content-decoding.ts'
import type { LogConfig } from './schema.ts'

/** Bodies up to this are read whole though an entry may show less of them; longer ones are not held back to be read. */
const READ_AT_LEAST = 1 << 20

/** The body of the request, when a logger has read it; shared, whatever part of it each of them may show. */
const requestBody = requestSlot<Buffer>('logged request body')
/** What each logger has kept of the body of the response. */
const responseTaps = requestSlot<Map<object, ResponseTap>>('logged response bodies')

/** One logger's share in the bodies of requests and responses. */
export interface BodyCapture {
  /** Reads the body of the request; absent when no entry shows it. */
  readonly access?: (context: RequestContext) => Promise<void> | undefined
  /** Looks at the body of the response as it passes; absent when no entry shows it. */
  readonly bodyFilter?: (context: RequestContext) => BodyFilter | undefined
  /** The beginning of the body of the request as text; `undefined` when it is not to be shown, or too long to be read. */
  request(context: RequestContext): string | undefined
  /** What was kept of the body of the response, as text. */
  response(context: RequestContext): string | undefined
}

/** Compiles what a configuration says of bodies. `namesRequestBody`: its format shows `$request_body`, which asks for it too. */
export function compileBodies(config: LogConfig, namesRequestBody: boolean): BodyCapture {
  const wantsRequest = wantedWhen(
    config.include_req_body || namesRequestBody,
    config.include_req_body ? config.include_req_body_expr : undefined,
  )
  const wantsResponse = wantedWhen(config.include_resp_body, config.include_resp_body_expr)
  const { max_req_body_bytes: maxRequest, max_resp_body_bytes: maxResponse } = config
  const key = {}
  return {
    ...(wantsRequest && {
      access: (context) =>
        wantsRequest(context) ? readRequest(context, Math.max(maxRequest, READ_AT_LEAST)) : undefined,
    }),
    ...(wantsResponse && {
      bodyFilter: (context) => (wantsResponse(context) ? tapResponse(context, key, maxResponse) : undefined),
    }),
    request(context) {
      const body = wantsRequest && context.get(requestBody)
      return body && wantsRequest(context) ? body.subarray(0, maxRequest).toString() : undefined
    },
    response(context) {
      const kept = context.get(responseTaps)?.get(key)?.bytes()
      if (kept === undefined) return undefined
      return decodeBody(kept, context.response.headers.get('content-encoding'), maxResponse)
    },
  }
}

type Wants = (context: RequestContext) => boolean

function wantedWhen(isIncluded: boolean, rules: readonly unknown[] | undefined): Wants | undefined {
  if (!isIncluded) return undefined
  if (rules === undefined) return () => true
  const expression = compileExpression(rules)
  return (context) => expression.test(context)
}

function readRequest(context: RequestContext, maxBytes: number): Promise<void> | undefined {
  if (!context.hasBody || isGrpc(context)) return undefined
  return context.readBody(maxBytes).then(
    (body) => context.set(requestBody, body),
    (error) => {
      // The request goes on; its entry has no body.
      if (!(error instanceof BodyTooLargeError)) throw error
    },
  )
}

/** Its body may be a conversation: to wait for its end would be to wait for an answer to what was not forwarded yet. */
function isGrpc({ headers }: RequestContext): boolean {
  return headers.get('content-type')?.toLowerCase().startsWith('application/grpc') === true
}

function tapResponse(context: RequestContext, key: object, maxBytes: number): BodyFilter {
  let taps = context.get(responseTaps)
  if (!taps) {
    taps = new Map()
    context.set(responseTaps, taps)
  }
  const tap = new ResponseTap(maxBytes)
  taps.set(key, tap)
  return tap
}

/** Keeps the first bytes of a body and changes nothing. */
class ResponseTap implements BodyFilter {
  readonly isObserver = true
  #room: number
  readonly #kept: Uint8Array[] = []

  constructor(maxBytes: number) {
    this.#room = maxBytes
  }

  write(chunk: Uint8Array): Uint8Array {
    if (this.#room > 0) {
      // A copy: filters behind this one own the chunk and may change it.
      const part = Buffer.from(chunk.subarray(0, this.#room))
      this.#kept.push(part)
      this.#room -= part.length
    }
    return chunk
  }

  end(): undefined {
    return undefined
  }

  bytes(): Buffer {
    return Buffer.concat(this.#kept)
  }
}
