import type { BodyFilter, Logger, RequestContext } from '../../src/plugin/api.ts'
import { firstMessage } from '../_shared/grpc/frame.ts'
import { endOfCall, type GrpcEnd } from '../_shared/grpc/trailers.ts'
import type { Call } from './call.ts'
import { decodeMessage, type JsonForm } from './json.ts'

export interface AnswerOptions {
  readonly form: JsonForm
  readonly isStatusShown: boolean
  readonly detailType: string | undefined
  readonly maxBytes: number
  readonly logger: Logger
}

const SUCCESS = '0'

/** Turns the answer of a call into JSON: the message, or with `show_status_in_body` why there is none. */
export function answerFilter(context: RequestContext, call: Call, options: AnswerOptions): BodyFilter {
  const chunks: Uint8Array[] = []
  let bytes = 0
  return {
    takesTrailers: true,
    write(chunk) {
      if (bytes < options.maxBytes) chunks.push(chunk.subarray(0, options.maxBytes - bytes))
      bytes += chunk.length
      return undefined
    },
    end(trailers) {
      const end = endOfCall(context.response.headers, trailers)
      if (end && end.status !== SUCCESS) return failure(end, call, options)
      const message = readMessage(Buffer.concat(chunks), options)
      return message && asJson(decodeOr(message, call, options))
    },
  }
}

function readMessage(body: Buffer, { logger }: AnswerOptions): Buffer | undefined {
  try {
    return firstMessage(body)
  } catch (error) {
    logger.warn({ reason: (error as Error).message }, 'the answer of a call cannot be read')
    return undefined
  }
}

function decodeOr(message: Buffer, call: Call, { form, logger }: AnswerOptions): object | undefined {
  try {
    return decodeMessage(call.response, message, form)
  } catch (error) {
    logger.warn({ reason: (error as Error).message }, 'the answer of a call is not what its proto says')
    return undefined
  }
}

/** `{"error": {"code", "message", "details"}}`, the details as the proto has them where their type is told. */
function failure(end: GrpcEnd, call: Call, options: AnswerOptions): Buffer | undefined {
  if (!options.isStatusShown) return undefined
  const error: Record<string, unknown> = { code: Number(end.status), message: end.message }
  const details = end.details && options.detailType && decodeDetails(end.details, call, options)
  return asJson({ error: details ? { ...error, details } : error })
}

/** `google.rpc.Status`: its third field holds messages wrapped in `google.protobuf.Any`. */
function decodeDetails(
  bytes: Buffer,
  { root }: Call,
  { detailType, form, logger }: AnswerOptions,
): unknown[] {
  try {
    const type = root.lookupType(detailType!)
    return fieldsOf(bytes, DETAILS).flatMap((any) =>
      fieldsOf(any, ANY_VALUE).map((value) => decodeMessage(type, value, form)),
    )
  } catch (error) {
    logger.warn({ reason: (error as Error).message }, 'the details of a failed call cannot be read')
    return []
  }
}

const DETAILS = 3
const ANY_VALUE = 2
const VARINT = 0
const LENGTH_DELIMITED = 2

/** The length-delimited fields of that number in an encoded message. Throws on what is none of varints and texts. */
function fieldsOf(message: Buffer, number: number): Buffer[] {
  const found: Buffer[] = []
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 0; at < message.length; shift += 7) {
      const byte = message[at++]!
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
    throw new Error('a number ends in its middle')
  }
  while (at < message.length) {
    const tag = varint()
    const value = varint()
    if (tag % 8 === VARINT) continue
    if (tag % 8 !== LENGTH_DELIMITED || at + value > message.length) throw new Error('no status message')
    if (Math.floor(tag / 8) === number) found.push(message.subarray(at, at + value))
    at += value
  }
  return found
}

function asJson(value: object | undefined): Buffer | undefined {
  return value && Buffer.from(JSON.stringify(value))
}
