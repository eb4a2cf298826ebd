import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { RegistryError } from '../../../src/registry/registry-error.ts'
import { StoreUnavailableError } from '../../../src/store/config-store.ts'
import { type Answer, Refusal, refuse } from '../answer.ts'
import { createAuth, refuseOutsideRole } from '../auth.ts'
import { parseBody } from '../body.ts'
import type { AdminDeps } from '../deps.ts'
import type { Visit } from '../visit.ts'
import { EventStreams } from './event-stream.ts'
import { numberOf, type RegistryDeps } from './registry-call.ts'
import { createRegistryDispatch, type RegistryRoute } from './registry-dispatch.ts'
import { REGISTRY_ROOT } from './registry-root.ts'

const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE'] as const
const BODY_LIMIT = 256 * 1024

interface Arrived {
  readonly segments: readonly string[]
  readonly query: URLSearchParams
  /** Absent for the event stream. */
  readonly route: RegistryRoute | undefined
}

export interface RegistryParts {
  readonly visits: WeakMap<FastifyRequest, Visit>
  readonly finish: (request: FastifyRequest, reply: FastifyReply, answer: Answer) => FastifyReply
}

/** The registry's routes beside the admin API (systems.md §7.3): its own key or an admin key without limits opens them. */
export function installRegistry(
  api: FastifyInstance,
  deps: Pick<AdminDeps, 'keys' | 'keyRequired' | 'clock' | 'logger'> & { readonly registry: RegistryDeps },
  { visits, finish }: RegistryParts,
): void {
  const { registry, logger } = deps
  const arrive = createArrival(deps)
  const streams = new EventStreams(registry.registry.view)
  const arrived = new WeakMap<FastifyRequest, Arrived>()
  api.removeAllContentTypeParsers()
  api.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  api.setErrorHandler((error, request, reply) => {
    const { status, answer } = failureOf(error)
    if (status >= 500 && !(error instanceof RegistryError || error instanceof StoreUnavailableError))
      logger.error({ err: error, method: request.method }, 'the registry failed')
    return finish(request, reply, answer)
  })
  api.addHook('preClose', async () => streams.close())
  api.addHook('onRequest', async (request) => {
    arrived.set(request, arrive(request, visits.get(request)!))
    request.headers['content-type'] &&= 'application/octet-stream'
  })
  api.route({
    method: [...METHODS],
    url: `${REGISTRY_ROOT}/*`,
    exposeHeadRoute: false,
    bodyLimit: BODY_LIMIT,
    handler: async (request, reply) => {
      const { route, segments, query } = arrived.get(request)!
      if (!route) return streams.start(reply, sinceOf(request, query))
      const body = parseBody(request.body as Buffer | undefined)
      const gatewayEndpoint = `${request.protocol}://${request.host}`
      const call = { method: request.method, segments, query, body, gatewayEndpoint }
      return finish(request, reply, await route.answer(call))
    },
  })
}

function createArrival({
  keys,
  registry,
  keyRequired,
  clock,
}: Parameters<typeof installRegistry>[1]): (request: FastifyRequest, visit: Visit) => Arrived {
  const own =
    registry.key === undefined ? [] : [{ name: 'registry', role: 'admin' as const, key: registry.key }]
  const identify = createAuth({ keys: [...keys, ...own], keyRequired, clock })
  const dispatch = createRegistryDispatch(registry)
  return (request, visit) => {
    const { segments, query } = readTarget(request.raw.url ?? '')
    visit.segments = ['registry', ...segments]
    const caller = identify(request, query)
    visit.caller = caller
    visit.touches = 'nothing'
    if (caller.scope !== undefined)
      throw refuse(403, 'a key that is limited to some resources does not open the registry')
    refuseOutsideRole(caller, request.method)
    if (segments.length === 1 && segments[0] === 'events' && request.method === 'GET')
      return { segments, query, route: undefined }
    const route = dispatch(request.method, segments)
    visit.touches = route.touches
    return { segments, query, route }
  }
}

/** Segments stay as they are sent, empty ones too: what no id may be is refused and not made into another. */
function readTarget(target: string): { readonly segments: string[]; readonly query: URLSearchParams } {
  const [path = '', search = ''] = target.split('?', 2)
  try {
    const segments = path
      .slice(REGISTRY_ROOT.length + 1)
      .split('/')
      .map(decodeURIComponent)
    return { segments, query: new URLSearchParams(search) }
  } catch {
    throw new RegistryError('VALIDATION_FAILED', 'the path holds a "%" that begins no character')
  }
}

function sinceOf({ headers }: FastifyRequest, query: URLSearchParams): number | undefined {
  const last = headers['last-event-id']
  const asked = new URLSearchParams(query)
  if (typeof last === 'string') asked.set('since', last)
  const since = numberOf(asked, 'since', { min: 0, max: Number.MAX_SAFE_INTEGER, fallback: -1 })
  return since === -1 ? undefined : since
}

const CODES: Readonly<Record<number, string>> = {
  400: 'VALIDATION_FAILED',
  401: 'UNAUTHORIZED',
  403: 'FORBIDDEN',
  404: 'NOT_FOUND',
  413: 'VALIDATION_FAILED',
  429: 'TOO_MANY_REQUESTS',
}

/** Every failure as `{error_code, error_msg, details?}`; what nobody foresaw says nothing of its cause. */
function failureOf(error: unknown): { readonly status: number; readonly answer: Answer } {
  if (error instanceof RegistryError) {
    const { status, code, message, details } = error
    return failure(status, { error_code: code, error_msg: message, ...(details && { details }) })
  }
  if (error instanceof StoreUnavailableError) {
    return failure(503, { error_code: 'REGISTRY_UNAVAILABLE', error_msg: 'the store cannot be reached' })
  }
  if (error instanceof Refusal) {
    const { status, json, headers } = error.answer
    const { error_msg = '', description = error_msg } = json as Record<string, string>
    return failure(status, { error_code: codeOf(status), error_msg: description }, headers)
  }
  const { statusCode = 500, message = '' } = error as { statusCode?: number; message?: string }
  if (statusCode >= 400 && statusCode < 500) {
    return failure(statusCode, { error_code: codeOf(statusCode), error_msg: message })
  }
  return failure(500, { error_code: 'INTERNAL_ERROR', error_msg: 'the registry failed; its log says why' })
}

function codeOf(status: number): string {
  return CODES[status] ?? 'VALIDATION_FAILED'
}

function failure(status: number, json: object, headers: Answer['headers'] = {}) {
  const retry = status === 503 ? { 'retry-after': '1' } : {}
  return { status, answer: { status, json, headers: { ...headers, ...retry } } }
}
