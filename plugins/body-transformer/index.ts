import {
  type BodyFilter,
  ConfigError,
  definePlugin,
  type FromSchema,
  type Logger,
  type Reply,
  type RequestContext,
  requestSlot,
} from '../../src/plugin/api.ts'
import { forgetBody } from '../_shared/body/replace-body.ts'
import { type Unpack, unpackFor } from '../_shared/body/unpack.ts'
import { schema } from './schema.ts'
import { compileTransform, type Transform, type TransformConfig, TransformError } from './transform.ts'

/** How the body of a response is read, decided when the headers are known; by instance. One that is not to be read has none. */
const readers = requestSlot<Map<object, Unpack>>('body-transformer')

type Config = FromSchema<typeof schema>

export default definePlugin<Config>({
  name: 'body-transformer',
  priority: 1080,
  phases: ['rewrite', 'beforeProxy', 'headerFilter', 'bodyFilter'],
  schema,
  check({ request, response }) {
    for (const [what, config] of [
      ['request', request],
      ['response', response],
    ] as const)
      compiled(config, what)
  },
  compile({ request, response, max_req_body_size, max_resp_body_size }, host) {
    const toUpstream = compiled(request, 'request')
    const toClient = compiled(response, 'response')
    const instance = {}
    const { logger } = host
    return {
      ...(toUpstream && { rewrite: (context) => transformRequest(context, toUpstream, max_req_body_size) }),
      ...(toClient && {
        beforeProxy: asksForPlainBody,
        headerFilter(context) {
          const read = readerFor(context, logger)
          if (!read) return
          forgetBody(context.response.headers)
          context.set(readers, (context.get(readers) ?? new Map<object, Unpack>()).set(instance, read))
        },
        bodyFilter(context) {
          const read = context.get(readers)?.get(instance)
          return read && responseFilter(context, toClient, { maxBytes: max_resp_body_size, logger, read })
        },
      }),
    }
  },
})

function compiled(config: TransformConfig | undefined, what: 'request' | 'response'): Transform | undefined {
  try {
    return config && compileTransform(config, what)
  } catch (error) {
    throw new ConfigError((error as Error).message)
  }
}

async function transformRequest(
  context: RequestContext,
  transform: Transform,
  maxBytes: number,
): Promise<Reply | undefined> {
  const body = await context.readBody(maxBytes)
  try {
    context.setBody(transform(context, body, context.headers.get('content-type')))
    return undefined
  } catch (error) {
    if (error instanceof TransformError) return { status: error.status, body: { message: error.message } }
    throw error
  }
}

/** What is packed cannot be read. */
function asksForPlainBody(context: RequestContext): void {
  context.headers.remove('accept-encoding')
}

const AS_IT_IS = unpackFor(undefined)
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 304])

/** Packed all the same, it is unpacked first. Nothing for a response that is left as it is. */
function readerFor({ response }: RequestContext, logger: Logger): Unpack | undefined {
  if (WITHOUT_BODY.has(response.status)) return undefined
  const encoding = response.headers.get('content-encoding')
  const unpack = unpackFor(encoding)
  if (!unpack) {
    logger.warn({ encoding }, 'a response is not transformed: its content coding is not gzip, br or deflate')
  }
  return unpack
}

interface ResponseOptions {
  readonly maxBytes: number
  readonly logger: Logger
  readonly read: Unpack
}

/**
 * A body that cannot be transformed goes on as it was: its head is on its way. One that was packed cannot, since its head says so no
 * more: the response is cut.
 */
function responseFilter(context: RequestContext, transform: Transform, options: ResponseOptions): BodyFilter {
  const { maxBytes, read, logger } = options
  const chunks: Uint8Array[] = []
  let bytes = 0
  return {
    write(chunk) {
      bytes += chunk.length
      if (bytes <= maxBytes) {
        chunks.push(chunk)
        return undefined
      }
      if (read !== AS_IT_IS)
        throw new RangeError(`the packed response exceeds max_resp_body_size ${maxBytes}`)
      // Longer than is transformed: what was held back, then all that follows.
      return Buffer.concat([...chunks.splice(0), chunk])
    },
    end() {
      if (bytes > maxBytes || context.method === 'HEAD') return undefined
      const body = Buffer.from(unpacked(Buffer.concat(chunks), options))
      try {
        return Buffer.from(transform(context, body, context.response.headers.get('content-type')))
      } catch (error) {
        logger.warn({ reason: (error as Error).message }, 'a response could not be transformed')
        return body
      }
    },
  }
}

function unpacked(body: Uint8Array, { read, maxBytes }: ResponseOptions): Uint8Array {
  try {
    return read(body, maxBytes)
  } catch (error) {
    throw new Error(`the response cannot be unpacked: ${(error as Error).message}`, { cause: error })
  }
}
