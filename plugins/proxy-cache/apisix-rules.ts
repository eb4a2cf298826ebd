import { type Headers, type RequestContext, variableText } from '../../src/plugin/api.ts'
import { toldUpstream } from '../_shared/auth/told-upstream.ts'
import type { StoredHead } from '../_shared/cache/cache-store.ts'
import { type Directives, parseCacheControl, parseDate, seconds } from './cache-control.ts'
import type { CacheRules, CacheStatus, RequestVerdict, StorageTerms } from './rules.ts'
import type { ProxyCacheConfig } from './schema.ts'

const MS_PER_SECOND = 1000
const MAX_FRESH_MS = 365 * 24 * 60 * 60 * MS_PER_SECOND
const MAX_VARY = 16

/** Who asks, or what a plugin found out about who asks. */
const CREDENTIALS = [
  ...['authorization', 'proxy-authorization', 'x-userinfo', 'x-access-token', 'x-id-token'],
  ...['x-raw-id-token', 'x-refresh-token'],
]
/** They speak of one request, of a part, or of something the client has: no answer for others, whatever the configuration says. */
const NEVER_STORED: ReadonlySet<number> = new Set([
  ...[206, 304, 400, 401, 407, 408, 412, 413, 414, 416, 417, 421, 425, 426, 428, 429, 431],
])
/** Endless, as a rule. */
const STREAM_TYPE = /^(?:text\/event-stream|multipart\/x-mixed-replace)\b/i

const PASSED: RequestVerdict = {
  mayLookUp: false,
  mayStore: false,
  mayCollapse: false,
  isGuarded: false,
  isOnlyIfCached: false,
  status: 'BYPASS',
}
const MISSED: RequestVerdict = { ...PASSED, status: 'MISS' }
const REFRESHED: RequestVerdict = { ...PASSED, mayStore: true }

export interface RuleOptions {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** How long an answer on disk is kept that does not say so itself. */
  readonly diskTtlMs: number
}

/** The rules of APISIX (contract §7.3), with its two strategies: in memory the configuration decides, on disk the upstream. */
export function createApisixRules(config: ProxyCacheConfig, options: RuleOptions): CacheRules {
  const { now } = options
  const statuses = new Set(config.cache_http_status)
  const isUnwanted = compileConditions(config.no_cache)
  const freshness = config.cache_strategy === 'disk' ? diskFreshness : memoryFreshness
  return {
    request: compileRequestRule(config),
    reuse: (head, context) => reuse(head, context, { now, isAsked: config.cache_control }),
    response(context, { status, headers }): StorageTerms | undefined {
      if (!statuses.has(status) || NEVER_STORED.has(status) || isUnwanted(context)) return undefined
      const directives = parseCacheControl(headers.all('cache-control'))
      const vary = varyingHeaders(headers)
      if (!vary || isForNobodyElse(headers, directives, config)) return undefined
      const freshForMs = Math.min(freshness(headers, directives, { config, options }), MAX_FRESH_MS)
      if (!(freshForMs > 0)) return undefined
      return { freshForMs, vary, isPublic: isForEveryone(directives) }
    },
  }
}

function compileRequestRule(config: ProxyCacheConfig): CacheRules['request'] {
  const isDisk = config.cache_strategy === 'disk'
  const methods: ReadonlySet<string> = new Set(config.cache_method)
  const isBypassed = compileConditions(config.cache_bypass)
  const isToldToShare = config.cache_key.includes('$http_authorization')
  const isKeyed = (name: string) => config.cache_key.includes(`$http_${name.replaceAll('-', '_')}`)
  const notCached = isDisk ? PASSED : MISSED
  return (context) => {
    const { method, headers } = context
    if (!methods.has(method)) return notCached
    // What such a request means no key tells.
    if (headers.has('upgrade') || (method !== 'POST' && context.hasBody)) return PASSED
    if (headers.has('if-match') || headers.has('if-unmodified-since')) return PASSED
    if (isBypassed(context)) return isDisk && method !== 'HEAD' && !isPartial(headers) ? REFRESHED : PASSED
    const directives = config.cache_control ? parseCacheControl(headers.all('cache-control')) : undefined
    if (directives?.has('no-cache') || directives?.has('no-store')) return PASSED
    const isOfUser = context.get(toldUpstream)?.every(isKeyed) === false
    const isGuarded = isOfUser || (!isToldToShare && CREDENTIALS.some((name) => headers.has(name)))
    const mayStore = method !== 'HEAD' && !isPartial(headers)
    return {
      mayLookUp: true,
      mayStore,
      mayCollapse: mayStore && !isGuarded,
      isGuarded,
      isOnlyIfCached: directives?.has('only-if-cached') ?? false,
      status: isGuarded ? 'BYPASS' : 'MISS',
    }
  }
}

/** The answer may be a part, or only say that the client has the whole. */
function isPartial(headers: Headers): boolean {
  return headers.has('range') || headers.has('if-none-match') || headers.has('if-modified-since')
}

function reuse(
  head: StoredHead,
  context: RequestContext,
  { now, isAsked }: { readonly now: () => number; readonly isAsked: boolean },
): CacheStatus {
  const ageMs = now() - head.storedAtMs
  // A clock that was set back makes answers from the future: they are not trusted.
  if (ageMs >= head.freshForMs || ageMs < -MS_PER_SECOND) return 'EXPIRED'
  if (!isAsked) return 'HIT'
  const directives = parseCacheControl(context.headers.all('cache-control'))
  const maxAge = seconds(directives, 'max-age')
  const minFresh = seconds(directives, 'min-fresh')
  if (maxAge !== undefined && ageMs > maxAge * MS_PER_SECOND) return 'STALE'
  if (minFresh !== undefined && head.freshForMs - ageMs < minFresh * MS_PER_SECOND) return 'STALE'
  return 'HIT'
}

function isForNobodyElse(headers: Headers, directives: Directives, config: ProxyCacheConfig): boolean {
  if (directives.has('no-store') || directives.has('private') || directives.has('no-cache')) return true
  if (headers.has('set-cookie') && !config.cache_set_cookie) return true
  if (Number(headers.get('content-length') ?? 0) > config.max_resp_body_size) return true
  return headers.has('content-range') || STREAM_TYPE.test(headers.get('content-type') ?? '')
}

/** RFC 9111 §3.5. */
function isForEveryone(directives: Directives): boolean {
  return directives.has('public') || directives.has('s-maxage') || directives.has('must-revalidate')
}

/** Sorted and once each; `undefined` when they cannot be told. */
function varyingHeaders(headers: Headers): readonly string[] | undefined {
  const names = headers
    .all('vary')
    .flatMap((line) => line.split(','))
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
  const vary = [...new Set(names)].sort()
  return vary.includes('*') || vary.length > MAX_VARY ? undefined : vary
}

interface FreshnessCase {
  readonly config: ProxyCacheConfig
  readonly options: RuleOptions
}

function memoryFreshness(
  headers: Headers,
  directives: Directives,
  { config, options }: FreshnessCase,
): number {
  if (!config.cache_control) return config.cache_ttl * MS_PER_SECOND
  return statedFreshness(headers, directives, options) ?? 0
}

/** As nginx decides: what the upstream says to it, what it says to every cache, the settings. */
function diskFreshness(headers: Headers, directives: Directives, { options }: FreshnessCase): number {
  const accel = headers.get('x-accel-expires')
  const [, at, count] = /^(@?)(\d{1,12})$/.exec(accel ?? '') ?? []
  if (count !== undefined) {
    return at === '@' ? Number(count) * MS_PER_SECOND - options.now() : Number(count) * MS_PER_SECOND
  }
  return statedFreshness(headers, directives, options) ?? options.diskTtlMs
}

function statedFreshness(headers: Headers, directives: Directives, { now }: RuleOptions): number | undefined {
  const stated = seconds(directives, 's-maxage') ?? seconds(directives, 'max-age')
  if (stated !== undefined) return stated * MS_PER_SECOND
  const expires = headers.get('expires')
  return expires === undefined ? undefined : (parseDate(expires) ?? 0) - now()
}

/** Whether one of these has a value that is neither empty nor 0. */
function compileConditions(conditions: readonly string[] | undefined): (context: RequestContext) => boolean {
  if (!conditions) return () => false
  const reads = conditions.map((text) => {
    const name = text.startsWith('$') ? text.slice(1) : undefined
    return (context: RequestContext) => (name === undefined ? text : (variableText(context.var(name)) ?? ''))
  })
  return (context) =>
    reads.some((read) => {
      const value = read(context)
      return value !== '' && value !== '0'
    })
}
