import {
  type BodyFilter,
  definePlugin,
  type FromSchema,
  type Reply,
  type RequestContext,
  requestSlot,
} from '../../src/plugin/api.ts'
import { trailersFrame } from '../_shared/grpc/frame.ts'
import { encodePath } from '../_shared/uri/encoding.ts'
import { decodeText, TextEncoder64 } from './base64.ts'
import { schema } from './schema.ts'

/** Content types of gRPC-Web: whether the body is text, that is base64. */
const IS_TEXT: ReadonlyMap<string, boolean> = new Map([
  ['application/grpc-web', false],
  ['application/grpc-web+proto', false],
  ['application/grpc-web-text', true],
  ['application/grpc-web-text+proto', true],
])

/** The content type that the client sent, of requests that were taken for gRPC-Web. */
const asked = requestSlot<string>('grpc-web content type')

const PREFLIGHT: Reply = { status: 204 }
const NO_POST: Reply = { status: 405 }
const BAD_REQUEST: Reply = { status: 400 }

export default definePlugin<FromSchema<typeof schema>>({
  name: 'grpc-web',
  priority: 505,
  phases: ['access', 'headerFilter', 'bodyFilter'],
  schema,
  compile({ cors_allow_headers, max_req_body_size }) {
    return {
      access: (context) => toGrpc(context, max_req_body_size),
      headerFilter(context) {
        const { headers } = context.response
        if (context.method === 'OPTIONS') {
          headers.set('Access-Control-Allow-Methods', 'POST')
          headers.set('Access-Control-Allow-Headers', cors_allow_headers)
        }
        if (!headers.has('access-control-allow-origin')) headers.set('Access-Control-Allow-Origin', '*')
        headers.set('Access-Control-Expose-Headers', 'grpc-message,grpc-status')
        const contentType = context.get(asked)
        const isGrpc = context.response.source === 'upstream' || headers.has('grpc-status')
        if (contentType !== undefined && isGrpc) headers.set('Content-Type', contentType)
      },
      bodyFilter: toGrpcWeb,
    }
  },
})

/** Turns a request of gRPC-Web into one of gRPC. */
function toGrpc(context: RequestContext, maxBytes: number): Reply | undefined | Promise<Reply | undefined> {
  if (context.method === 'OPTIONS') return PREFLIGHT
  if (context.method !== 'POST') return NO_POST
  const contentType = context.headers.get('content-type')
  const isText = contentType === undefined ? undefined : IS_TEXT.get(contentType.toLowerCase())
  const path = callPath(context)
  if (isText === undefined || path === undefined) return BAD_REQUEST
  const takeOver = () => {
    context.set(asked, contentType!)
    context.upstream.target = path
    // From here on failures of the gateway are answered in gRPC's way.
    context.headers.set('Content-Type', 'application/grpc')
  }
  if (isText) return decodeBody(context, maxBytes, takeOver)
  takeOver()
  return undefined
}

/** Service and method: what `*` stands for in the pattern of the route. */
function callPath({ route, path }: RequestContext): string | undefined {
  if (!route?.uri.endsWith('*')) return undefined
  const call = /\/[^/]+\/[^/]+$/.exec(path)?.[0]
  return call === undefined ? undefined : encodePath(call)
}

async function decodeBody(
  context: RequestContext,
  maxBytes: number,
  takeOver: () => void,
): Promise<Reply | undefined> {
  const bytes = decodeText((await context.readBody(maxBytes)).toString('latin1'))
  if (!bytes) return BAD_REQUEST
  takeOver()
  context.setBody(bytes)
  return undefined
}

/** Puts the trailers into the body, where a page can read them. */
function toGrpcWeb(context: RequestContext): BodyFilter | undefined {
  const contentType = context.get(asked)
  if (contentType === undefined || context.response.source !== 'upstream') return undefined
  const { headers } = context.response
  const status = headers.get('grpc-status')
  const ofHead =
    status === undefined ? [] : ['grpc-status', status, 'grpc-message', headers.get('grpc-message') ?? '']
  const text = IS_TEXT.get(contentType.toLowerCase()) ? new TextEncoder64() : undefined
  return {
    takesTrailers: true,
    write: (chunk) => (text ? text.encode(chunk) : chunk),
    end(trailers = ofHead) {
      const frame = trailersFrame(trailers)
      return text ? Buffer.concat([text.encode(frame), text.flush()]) : frame
    },
  }
}
