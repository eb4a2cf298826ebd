import type { FastifyInstance, FastifyReply } from 'fastify'
import type { HealthChange } from '../upstream/health/node-health.ts'
import type { HealthCounters, HealthStatus } from '../upstream/health/status.ts'
import { refuse, sendJson } from './answer.ts'
import { healthcheckPage } from './healthcheck-page.ts'

/** What `checks` can stand in; `stream_routes` are known by name and never found. */
const SOURCE_TYPES: ReadonlySet<string> = new Set(['routes', 'services', 'upstreams', 'stream_routes'])

/** One node under health checks (contract §8.1), and why it is what it is. */
export interface CheckedNode {
  readonly ip: string
  readonly port: number
  readonly hostname: string
  readonly hostheader?: string
  readonly status: HealthStatus
  readonly counter: HealthCounters
  /** Ours: absent as long as nothing changed. */
  readonly last_change?: Pick<HealthChange, 'from' | 'reason'> & { readonly at: string }
}

/** The health checks of one resource. */
export interface HealthReport {
  /** `/apisix/upstreams/1`. */
  readonly name: string
  readonly type: string
  readonly nodes: readonly CheckedNode[]
}

/** Where the reports come from; made on the spot. */
export interface HealthSource {
  all(): readonly HealthReport[]
  /** `no-checker` for a resource without checks. */
  find(type: string, id: string): HealthReport | 'no-checker' | 'not-found'
}

/** `/v1/healthcheck` and below, with the answers of contract §8.1: all checks as a page where the client asks for HTML. */
export function healthcheckRoutes(app: FastifyInstance, source: HealthSource): void {
  app.get('/v1/healthcheck', ({ headers }, reply) => {
    const reports = source.all()
    return headers.accept?.includes('text/html') ? sendPage(reply, reports) : sendJson(reply, reports)
  })
  app.get<{ Params: { type: string } }>('/v1/healthcheck/:type', ({ params }, reply) =>
    refuse(reply, 404, `missing src id for src type ${params.type}`),
  )
  app.get<{ Params: { type: string; id: string } }>('/v1/healthcheck/:type/:id', ({ params }, reply) => {
    const { type, id } = params
    if (!SOURCE_TYPES.has(type)) return refuse(reply, 400, `invalid src type ${type}`)
    const report = source.find(type, id)
    if (report === 'not-found') return refuse(reply, 404, `${type}[${id}] not found`)
    if (report === 'no-checker') return refuse(reply, 404, `no checker for ${type}[${id}]`)
    return sendJson(reply, report)
  })
}

function sendPage(reply: FastifyReply, reports: readonly HealthReport[]): FastifyReply {
  // Should a text get past the escaping, it still does nothing.
  reply.header('content-security-policy', "default-src 'none'")
  return reply.type('text/html; charset=utf-8').send(healthcheckPage(reports))
}
