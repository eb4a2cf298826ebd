import {
  type BodyFilter,
  type BodyTap,
  BodyTooLargeError,
  compileExpression,
  type RequestContext,
  type RequestSlot,
  requestSlot,
} from '../../../src/plugin/api.ts'
import { decodeBody } from './content-decoding.ts'
import { Prefix } from './prefix.ts'
import type { LogConfig } from './schema.ts'

/** A body of up to this is waited for, so that it is there to be shown when no node can be reached; longer ones are watched as they pass. */
const READ_AHEAD_BYTES = 64 * 1024

/** The body of the request, when a logger has read it ahead; shared, whatever part of it each of them may show. */
const requestBody = requestSlot<Buffer>('logged request body')
/** What each logger has kept of a body that was not read ahead. */
const requestTaps = requestSlot<Map<object, Prefix>>('logged request bodies')
/** What each logger has kept of the body of the response. */
const responseTaps = requestSlot<Map<object, Prefix>>('logged response bodies')

/** One logger's share in the bodies of requests and responses. */
export interface BodyCapture {
  /** Reads the body of the request ahead when it is short; absent when no entry shows it. */
  readonly access?: (context: RequestContext) => Promise<void> | undefined
  /** Looks at the body of the request as it passes; absent when no entry shows it. */
  readonly tapBody?: (context: RequestContext) => BodyTap | undefined
  /** Looks at the body of the response as it passes; absent when no entry shows it. */
  readonly bodyFilter?: (context: RequestContext) => BodyFilter | undefined
  /** The beginning of the body of the request as text, as far as it was read; `undefined` when it is not to be shown. */
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
      access: (context) => (wantsRequest(context) ? readAhead(context) : undefined),
      tapBody: (context) =>
        context.get(requestBody) === undefined && wantsRequest(context)
          ? tapRequest(keep(context, requestTaps, { key, maxBytes: maxRequest }))
          : undefined,
    }),
    ...(wantsResponse && {
      bodyFilter: (context) =>
        wantsResponse(context)
          ? tapResponse(keep(context, responseTaps, { key, maxBytes: maxResponse }))
          : undefined,
    }),
    request(context) {
      if (!wantsRequest) return undefined
      const passed = context.get(requestTaps)?.get(key)?.bytes()
      if (passed) return passed.length > 0 ? passed.toString() : undefined
      const body = context.get(requestBody)
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

function readAhead(context: RequestContext): Promise<void> | undefined {
  const { headers } = context
  const length = Number(headers.get('content-length') ?? Number.NaN)
  if (!context.hasBody || !(length <= READ_AHEAD_BYTES)) return undefined
  return context.readBody(READ_AHEAD_BYTES).then(
    (body) => context.set(requestBody, body),
    (error) => {
      // A plugin has announced less than there is: it is watched as it passes.
      if (!(error instanceof BodyTooLargeError)) throw error
    },
  )
}

/** A place in the request where one logger keeps the beginning of a body. */
function keep(
  context: RequestContext,
  slot: RequestSlot<Map<object, Prefix>>,
  { key, maxBytes }: { key: object; maxBytes: number },
): Prefix {
  const prefix = new Prefix(maxBytes)
  const kept = context.get(slot)
  if (kept) kept.set(key, prefix)
  else context.set(slot, new Map([[key, prefix]]))
  return prefix
}

function tapRequest(prefix: Prefix): BodyTap {
  return { write: (chunk) => prefix.add(chunk), end: () => {} }
}

function tapResponse(prefix: Prefix): BodyFilter {
  return {
    isObserver: true,
    write(chunk) {
      prefix.add(chunk)
      return chunk
    },
    end: () => undefined,
  }
}
