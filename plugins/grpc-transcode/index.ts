import {
  definePlugin,
  type FromSchema,
  type InstanceHost,
  type Reply,
  type RequestContext,
  requestSlot,
  type StoredProto,
} from '../../src/plugin/api.ts'
import { messageFrame } from '../_shared/grpc/frame.ts'
import { type AnswerOptions, answerFilter } from './answer.ts'
import { type Call, findCall } from './call.ts'
import { encodeMessage, jsonForm } from './json.ts'
import { BadRequestError, fieldsOf } from './request.ts'
import { schema } from './schema.ts'
import { httpStatusOf } from './status.ts'

type Config = FromSchema<typeof schema>

const UNAVAILABLE: Reply = { status: 503 }
const BAD_REQUEST: Reply = { status: 400 }
const FIRST_ERROR_STATUS = 300

/** The call that a request was turned into. */
const calls = requestSlot<Call>('grpc-transcode call')

export default definePlugin<Config>({
  name: 'grpc-transcode',
  priority: 506,
  phases: ['access', 'headerFilter', 'bodyFilter'],
  schema,
  compile(config, host) {
    const find = callFinder(config, host)
    const options: AnswerOptions = {
      form: jsonForm(config.pb_option),
      isStatusShown: config.show_status_in_body,
      detailType: config.status_detail_type,
      maxBytes: config.max_resp_body_size,
      logger: host.logger,
    }
    return {
      access(context) {
        const call = find()
        return call ? transcode(context, call, config) : UNAVAILABLE
      },
      headerFilter(context) {
        const { response } = context
        if (!isAnswer(context)) return
        const status = response.headers.get('grpc-status')
        if (status !== undefined && status !== '0') response.status = httpStatusOf(status)
        response.headers.set('Content-Type', 'application/json')
        response.headers.set('Trailer', 'grpc-status, grpc-message')
      },
      bodyFilter(context) {
        const call = context.get(calls)
        return call && isAnswer(context) ? answerFilter(context, call, options) : undefined
      },
    }
  },
})

/** An answer of the node that is gRPC's: one below 300, or a failed call whose status the head told. */
function isAnswer(context: RequestContext): boolean {
  const { response } = context
  if (!context.get(calls) || response.source !== 'upstream') return false
  return response.status < FIRST_ERROR_STATUS || response.headers.has('grpc-status')
}

/** Finds the call in the proto as it is stored now; read once for each version of the proto. */
function callFinder({ proto_id, service, method }: Config, host: InstanceHost): () => Call | undefined {
  let read: { readonly proto: StoredProto; readonly call: Call | undefined } | undefined
  const readCall = (proto: StoredProto): Call | undefined => {
    try {
      return findCall(proto, service, method)
    } catch (error) {
      host.logger.error({ proto: proto_id, reason: (error as Error).message }, 'a call cannot be made')
      return undefined
    }
  }
  return () => {
    const proto = host.proto(String(proto_id))
    if (!proto) return undefined
    if (read?.proto !== proto) read = { proto, call: readCall(proto) }
    return read.call
  }
}

async function transcode(
  context: RequestContext,
  call: Call,
  { deadline, max_req_body_size }: Config,
): Promise<Reply | undefined> {
  let message: Uint8Array
  try {
    message = encodeMessage(call.request, await fieldsOf(context, max_req_body_size))
  } catch (error) {
    // The last one is of messages that are nested deeper than the stack.
    const isOfClient = [BadRequestError, TypeError, RangeError].some((kind) => error instanceof kind)
    if (isOfClient) return BAD_REQUEST
    throw error
  }
  context.set(calls, call)
  context.setBody(messageFrame(message))
  context.upstream.method = 'POST'
  context.upstream.target = call.path
  context.headers.set('Content-Type', 'application/grpc')
  context.headers.set('TE', 'trailers')
  if (deadline > 0) context.headers.set('grpc-timeout', `${Math.ceil(deadline)}m`)
  return undefined
}
