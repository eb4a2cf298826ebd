import type { FastifyPluginCallback } from 'fastify'
import type { TimelineRecord } from '../plugin/timeline.ts'
import { snakeCase } from '../plugin/trace.ts'
import type { DebugSettings } from '../settings/settings.ts'
import { refuse, sendJson } from './answer.ts'

/** What is shown of the plugins' work, see docs/operate/debug.md. */
export interface DebugSource {
  readonly settings: DebugSettings
  set(settings: Partial<DebugSettings>): void
  readonly timeline: {
    /** Of all workers together. */
    capacity(): number
    find(id: string): TimelineRecord | undefined | Promise<TimelineRecord | undefined>
    newest(count: number): readonly TimelineRecord[] | Promise<readonly TimelineRecord[]>
  }
}

/** Most that `GET /v1/timeline` lists. */
const MAX_LISTED = 100

const SETTINGS_BODY = {
  type: 'object',
  additionalProperties: false,
  minProperties: 1,
  properties: {
    timeline: { type: 'integer', minimum: 0, maximum: 100_000 },
    plugins_header: { type: 'boolean' },
    rejected_by_header: { type: 'boolean' },
  },
} as const

export function timelineRoutes(app: Parameters<FastifyPluginCallback>[0], source: DebugSource): void {
  app.get('/v1/debug', (_request, reply) => sendJson(reply, source.settings))
  // By itself: nothing else of the control API reads a body.
  app.register((own, _options, done) => {
    own.removeAllContentTypeParsers()
    own.addContentTypeParser('*', { parseAs: 'string' }, own.getDefaultJsonParser('error', 'error'))
    own.put<{ Body: Partial<DebugSettings> }>(
      '/v1/debug',
      { schema: { body: SETTINGS_BODY } },
      ({ body }, reply) => {
        source.set(body)
        return sendJson(reply, source.settings)
      },
    )
    done()
  })
  app.get('/v1/timeline', async (_request, reply) => {
    const requests = await source.timeline.newest(MAX_LISTED)
    return sendJson(reply, { kept: source.timeline.capacity(), requests: requests.map(headOf) })
  })
  app.get<{ Params: { id: string } }>('/v1/timeline/:id', async ({ params: { id } }, reply) => {
    const record = await source.timeline.find(id)
    if (record) return sendJson(reply, shown(record))
    const kept = source.timeline.capacity()
    const why =
      kept === 0
        ? 'timelines are off; switch them on with PUT /v1/debug {"timeline": 1000}'
        : `of the newest ${kept} requests none has this id`
    return refuse(reply, 404, `timeline[${id}] not found: ${why}`)
  })
}

function headOf(record: TimelineRecord): object {
  const { id, requestId, method, path, routeId, consumer, status, answeredBy, upstreamStatuses } = record
  return {
    id,
    request_id: requestId,
    ended_at: new Date(record.endedAtMs).toISOString(),
    method,
    path,
    route_id: routeId,
    consumer_name: consumer,
    status,
    answered_by: answeredBy,
    upstream_status: upstreamStatuses,
    total_ms: rounded(record.totalMs),
    upstream_ms: record.upstreamMs === undefined ? undefined : rounded(record.upstreamMs),
  }
}

function shown(record: TimelineRecord): object {
  return {
    ...headOf(record),
    steps: record.steps.map(({ plugin, phase, owner, atMs, tookUs, effects }) => ({
      plugin,
      phase: snakeCase(phase),
      owner,
      at_ms: rounded(atMs),
      took_us: tookUs,
      effects,
    })),
  }
}

function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000
}
