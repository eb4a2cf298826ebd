import {
  type BodyFilter,
  ConfigError,
  compileExpression,
  definePlugin,
  type Headers,
  type InstanceHost,
  type RequestContext,
  requestSlot,
} from '../../src/plugin/api.ts'
import { forgetBody, replaceBody } from '../_shared/body/replace-body.ts'
import { unpackFor } from '../_shared/body/unpack.ts'
import { checkHeaders, compileHeaders, type HeadersConfig } from '../_shared/headers/operations.ts'
import { bodyBytes, compileFilters, filterBody } from './body.ts'
import { type ResponseRewriteConfig, schema } from './schema.ts'

/** Decided when the headers are known, used when the body comes; by instance, of which a request may meet several. */
const bodyFilters = requestSlot<Map<object, BodyFilter>>('response-rewrite')

/** Changes status, headers and body of a response, the gateway's own answers among them (contract §7.3). */
export default definePlugin<ResponseRewriteConfig>({
  name: 'response-rewrite',
  priority: 899,
  phases: ['headerFilter', 'bodyFilter'],
  schema,
  check(config) {
    bodyBytes(config)
    if (config.filters) compileFilters(config.filters)
    if (config.headers) checkHeaders(config.headers as HeadersConfig)
    if (config.vars) compileVars(config.vars)
  },
  compile(config, host) {
    const condition = config.vars && compileVars(config.vars)
    const { status_code: status } = config
    const changeHeaders = config.headers && compileHeaders(config.headers as HeadersConfig)
    const filterFor = compileBody(config, host)
    const instance = {}
    return {
      headerFilter(context) {
        if (condition && !condition.test(context)) return
        const { response } = context
        if (status !== undefined) response.status = status
        const filter = filterFor?.(response.headers)
        if (filter) {
          forgetBody(context.response.headers)
          keepFilter(context, instance, filter)
        }
        changeHeaders?.(response.headers, context)
      },
      ...(filterFor && { bodyFilter: (context) => context.get(bodyFilters)?.get(instance) }),
    }
  },
})

function keepFilter(context: RequestContext, instance: object, filter: BodyFilter): void {
  const filters = context.get(bodyFilters) ?? new Map<object, BodyFilter>()
  filters.set(instance, filter)
  context.set(bodyFilters, filters)
}

/** How the body of a response with these headers is changed; nothing when it stays. */
function compileBody(
  config: ResponseRewriteConfig,
  host: InstanceHost,
): ((headers: Headers) => BodyFilter | undefined) | undefined {
  const body = bodyBytes(config)
  if (body) return () => replaceBody(body)
  if (!config.filters) return undefined
  const change = compileFilters(config.filters)
  const maxBytes = config.max_resp_body_size
  return (headers) => {
    const encoding = headers.get('content-encoding')
    const unpack = unpackFor(encoding)
    if (unpack) return filterBody(change, unpack, maxBytes)
    host.logger.warn({ encoding }, 'the body is not filtered: its content coding is not gzip, br or deflate')
    return undefined
  }
}

function compileVars(vars: readonly unknown[]) {
  try {
    return compileExpression(vars)
  } catch (error) {
    throw new ConfigError(`failed to validate the 'vars' expression: ${(error as Error).message}`)
  }
}
