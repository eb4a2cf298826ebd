import {
  ConfigError,
  definePlugin,
  type InstanceHost,
  type RequestContext,
  requestSlot,
} from '../../src/plugin/api.ts'
import { createApisixRules } from './apisix-rules.ts'
import { compileAddress } from './key.ts'
import { Lookup } from './lookup.ts'
import { Recorder } from './recorder.ts'
import { attrSchema, type ProxyCacheAttr, type ProxyCacheConfig, schema } from './schema.ts'
import { newVisit, type Visit } from './visit.ts'
import { findZone, joinZone, type Purge, purgeOperation, type Zone } from './zones.ts'

const visits = requestSlot<Visit>('proxy-cache')
const MS_PER_SECOND = 1000
const DEFAULT_LOCK_TIMEOUT_S = 5
const DEFAULT_DISK_TTL_MS = 10_000
/** A disk that takes longer is not waited for. */
const FIND_TIMEOUT_MS = 1000

/** Answers requests with what the upstream has answered before (contract §7.3). */
export default definePlugin<ProxyCacheConfig>({
  name: 'proxy-cache',
  priority: 1085,
  phases: ['access', 'headerFilter', 'bodyFilter', 'log'],
  schema,
  attrSchema,
  workerOperations: { purge: purgeOperation },
  check(config, tools) {
    const { cache_key: key } = config
    // A PURGE would never find what a GET has stored.
    if (key.includes('$request_method')) {
      throw new ConfigError('cache_key variable $request_method unsupported')
    }
    findZone(config, tools.attr('proxy-cache') as ProxyCacheAttr)
  },
  compile(config, host) {
    const zone = joinZone(config, host)
    const { lookup, recorder, rules } = createParts(config, host, zone)
    const owner = {}
    const own = (context: RequestContext) => {
      const visit = context.get(visits)
      return visit?.owner === owner ? visit : undefined
    }
    return {
      access(context) {
        if (context.get(visits)) return undefined
        if (context.method === 'PURGE') return lookup.purge(context)
        const visit = newVisit(owner, rules.request(context))
        context.set(visits, visit)
        if (visit.verdict.mayStore) context.keepReceived()
        return lookup.begin(visit, context)
      },
      headerFilter(context) {
        const visit = own(context)
        if (!visit) return
        if (visit.used) dressHit(context, visit.used, host.clock.now())
        else recorder.begin(visit, context)
        const { headers } = context.response
        headers.set('Apisix-Cache-Status', visit.status)
        if (!config.hide_cache_headers) return
        headers.remove('cache-control')
        headers.remove('expires')
      },
      bodyFilter(context) {
        const visit = own(context)
        return visit && recorder.filter(visit)
      },
      log(context) {
        const visit = own(context)
        if (!visit) return
        recorder.end(visit)
        zone.count(visit.status)
      },
    }
  },
})

function createParts(config: ProxyCacheConfig, host: InstanceHost, zone: Zone) {
  const { lock_timeout: waitS = DEFAULT_LOCK_TIMEOUT_S, cache_ttl_ms: diskTtlMs = DEFAULT_DISK_TTL_MS } =
    host.attr as ProxyCacheAttr
  const { clock } = host
  const now = () => clock.now()
  const rules = createApisixRules(config, { now, diskTtlMs })
  const addressOf = compileAddress(config)
  return {
    rules,
    lookup: new Lookup({
      zone,
      rules,
      clock,
      addressOf,
      purge: host.workerOperation<Purge, boolean>('purge'),
      waitMs: waitS * MS_PER_SECOND,
      findMs: FIND_TIMEOUT_MS,
    }),
    recorder: new Recorder({ zone, rules, now, maxBodyBytes: config.max_resp_body_size }),
  }
}

/** What an answer from the cache says of itself. */
function dressHit({ response }: RequestContext, used: NonNullable<Visit['used']>, now: number): void {
  const { headers } = response
  const residentS = Math.max(0, Math.floor((now - used.storedAtMs) / MS_PER_SECOND))
  headers.set('Age', String(used.initialAgeS + residentS))
  // The gateway names a type for every body of its own; the upstream may have named none.
  if (!used.headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'content-type')) {
    headers.remove('content-type')
  }
}
