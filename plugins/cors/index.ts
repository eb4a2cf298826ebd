import {
  ConfigError,
  definePlugin,
  type Headers,
  type InstanceHost,
  type Reply,
  type RequestContext,
  requestSlot,
} from '../../src/plugin/api.ts'
import { isHeaderValue, toHeaderValue } from '../_shared/headers/value.ts'
import { type AnswerOrigin, compileOriginPatterns, compileOrigins, orFromMetadata } from './origins.ts'
import { type CorsConfig, metadataSchema, schema } from './schema.ts'

const ALL_METHODS = 'GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,CONNECT,TRACE'
const PREFLIGHT: Reply = { status: 200, body: '' }
/** What the client sent, kept before another plugin changes it for the upstream; empty when it sent none. */
const originSlot = requestSlot<string>('cors')

/** Tells browsers which other origins may use a route (contract §7.2). */
export default definePlugin<CorsConfig>({
  name: 'cors',
  priority: 4000,
  phases: ['rewrite', 'headerFilter'],
  schema,
  metadataSchema,
  check: checkConfig,
  compile(config, host) {
    const answerOrigin = compileAnswer(config, host)
    const answerTiming = compileTiming(config)
    const setGrants = compileGrants(config)
    const isForAll = config.allow_origins === '*' && !config.allow_origins_by_regex
    const isTimingForAll = !answerTiming || config.timing_allow_origins === '*'
    const varies = !isForAll || !isTimingForAll
    return {
      rewrite(context) {
        context.set(originSlot, context.headers.get('origin') ?? '')
        return context.method === 'OPTIONS' ? PREFLIGHT : undefined
      },
      headerFilter(context) {
        const { headers } = context.response
        const origin = originOf(context)
        if (varies) headers.append('Vary', 'Origin')
        const allowed = answerOrigin(origin)
        if (allowed !== undefined) {
          headers.set('Access-Control-Allow-Origin', toHeaderValue(allowed))
          setGrants(headers, context)
        }
        const timed = answerTiming?.(origin)
        if (timed !== undefined) headers.set('Timing-Allow-Origin', toHeaderValue(timed))
      },
    }
  },
})

/** A plugin that runs earlier may have answered before this one saw the request. */
function originOf(context: RequestContext): string | undefined {
  const origin = context.get(originSlot) ?? context.headers.get('origin')
  return origin === '' ? undefined : origin
}

function checkConfig(config: CorsConfig): void {
  const { allow_origins, allow_methods, allow_headers, expose_headers } = config
  const values = [allow_origins, allow_methods, allow_headers, expose_headers]
  if (config.allow_credential && values.includes('*')) {
    throw new ConfigError("you can not set '*' for other option when 'allow_credential' is true")
  }
  for (const value of [...values, config.timing_allow_origins]) {
    if (value !== undefined && !isHeaderValue(value)) {
      throw new ConfigError(`invalid value character in header: ${JSON.stringify(value)}`)
    }
  }
  const { allow_origins_by_regex: patterns, timing_allow_origins_by_regex: timingPatterns } = config
  if (patterns) compileOriginPatterns(patterns, 'allow_origins_by_regex')
  if (timingPatterns) compileOriginPatterns(timingPatterns, 'timing_allow_origins_by_regex')
}

function compileAnswer(config: CorsConfig, host: InstanceHost): AnswerOrigin {
  const { allow_origins_by_regex: patterns, allow_origins_by_metadata: keys } = config
  const own = patterns
    ? compileOriginPatterns(patterns, 'allow_origins_by_regex')
    : compileOrigins(config.allow_origins)
  return keys ? orFromMetadata(own, keys, host) : own
}

function compileTiming(config: CorsConfig): AnswerOrigin | undefined {
  const { timing_allow_origins: origins, timing_allow_origins_by_regex: patterns } = config
  if (patterns) return compileOriginPatterns(patterns, 'timing_allow_origins_by_regex')
  return origins === undefined ? undefined : compileOrigins(origins)
}

/** What an origin that is allowed may do, beside its own name. */
function compileGrants(config: CorsConfig): (headers: Headers, context: RequestContext) => void {
  const { allow_methods: methods, allow_headers: allowed, expose_headers: exposed } = config
  const echoesHeaders = allowed === '**'
  const fixed: [name: string, value: string][] = [
    ['Access-Control-Allow-Methods', methods === '**' ? ALL_METHODS : methods],
    ['Access-Control-Max-Age', String(config.max_age)],
  ]
  if (exposed) fixed.push(['Access-Control-Expose-Headers', exposed])
  if (!echoesHeaders) fixed.push(['Access-Control-Allow-Headers', allowed])
  if (config.allow_credential) fixed.push(['Access-Control-Allow-Credentials', 'true'])
  return (headers, context) => {
    for (const [name, value] of fixed) headers.set(name, value)
    const asked = echoesHeaders ? context.headers.get('access-control-request-headers') : undefined
    if (asked !== undefined) headers.set('Access-Control-Allow-Headers', toHeaderValue(asked))
  }
}
