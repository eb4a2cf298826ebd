import {
  type BodyFilter,
  ConfigError,
  definePlugin,
  type FromSchema,
  type Logger,
  type Reply,
  type RequestContext,
} from '../../src/plugin/api.ts'
import { forgetBody } from '../_shared/body/replace-body.ts'
import { schema } from './schema.ts'
import { compileTransform, type Transform, type TransformConfig, TransformError } from './transform.ts'

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
    return {
      ...(toUpstream && { rewrite: (context) => transformRequest(context, toUpstream, max_req_body_size) }),
      ...(toClient && {
        beforeProxy: asksForPlainBody,
        headerFilter: (context) => forgetBody(context.response.headers),
        bodyFilter: (context) =>
          responseFilter(context, toClient, { maxBytes: max_resp_body_size, logger: host.logger }),
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

interface ResponseOptions {
  readonly maxBytes: number
  readonly logger: Logger
}

/** A body that cannot be transformed goes on as it was: its head is on its way. */
function responseFilter(context: RequestContext, transform: Transform, options: ResponseOptions): BodyFilter {
  const chunks: Uint8Array[] = []
  let bytes = 0
  return {
    write(chunk) {
      bytes += chunk.length
      if (bytes <= options.maxBytes) {
        chunks.push(chunk)
        return undefined
      }
      // Longer than is transformed: what was held back, then all that follows.
      return Buffer.concat([...chunks.splice(0), chunk])
    },
    end() {
      if (bytes > options.maxBytes) return undefined
      const body = Buffer.concat(chunks)
      try {
        return Buffer.from(transform(context, body, context.response.headers.get('content-type')))
      } catch (error) {
        options.logger.warn({ reason: (error as Error).message }, 'a response could not be transformed')
        return body
      }
    },
  }
}
