import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { canonicalizeTarget } from '../../src/lib/canonical-path.ts'
import { createIpSet } from '../../src/lib/ip-set.ts'
import { type Answer, Refusal } from './answer.ts'
import { createAuth } from './auth.ts'
import { bareStatus } from './bare-status.ts'
import { parseBody } from './body.ts'
import type { Endpoint } from './call.ts'
import { CORS_HEADERS, PREFLIGHT } from './cors.ts'
import { type AdminDeps, DEFAULT_BODY_LIMIT } from './deps.ts'
import { createDispatch } from './dispatch.ts'
import { answerFailure } from './failure.ts'
import { readTtl } from './ttl.ts'

export type { AdminDeps, AdminKey, Dependent, PluginCatalogue, PluginDescription } from './deps.ts'

/** The version whose dialect is spoken: clients read it from the `Server` header (decisions 8). */
const APISIX_VERSION = '3.18.0'
const ROOT = '/apisix/admin'
const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const
const RESOURCE_METHODS: readonly string[] = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE']

/** A request that was let in: what answers it, and its path and query. */
interface Admitted {
  readonly endpoint: Endpoint
  readonly segments: readonly string[]
  readonly query: URLSearchParams
}

/**
 * The admin API v3 as a Fastify plugin (contract §1.1–1.8). It is made for an instance of its own: the address check, the
 * headers and the answers to errors and unknown paths hold for all of that instance. Throws on an `allowAdmin` that is no address.
 */
export function createAdminApi(deps: AdminDeps): FastifyPluginAsync {
  return fastifyPlugin(async (app: FastifyInstance) => install(app, deps), {
    name: 'gatewright-admin-api',
    fastify: '5.x',
  })
}

function install(app: FastifyInstance, deps: AdminDeps): void {
  const bodyLimit = deps.bodyLimit ?? DEFAULT_BODY_LIMIT
  const allowed = deps.allowAdmin && createIpSet(deps.allowAdmin)
  const admit = createAdmission(deps)
  const admitted = new WeakMap<FastifyRequest, Admitted>()

  app.addHook('onRequest', async (request, reply) => {
    setCommonHeaders(reply, deps)
    if (request.method === 'OPTIONS') reply.removeHeader('access-control-expose-headers')
    if (allowed && !allowed.has(request.socket.remoteAddress ?? '')) {
      return send(reply, bareStatus(403, request.headers.accept))
    }
  })
  app.setNotFoundHandler((request, reply) => send(reply, bareStatus(404, request.headers.accept)))
  app.setErrorHandler((error, request, reply) =>
    send(reply, answerFailure(error, request, { logger: deps.logger, bodyLimit })),
  )

  void app.register(async (api) => {
    api.removeAllContentTypeParsers()
    api.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit }, (_request, body, done) =>
      done(null, body),
    )
    api.addHook('onRequest', async (request) => {
      admitted.set(request, admit(request))
      // The label is ignored (contract §1.1): Fastify would refuse a body for a malformed one before it is read.
      if (request.headers['content-type'] !== undefined) {
        request.headers['content-type'] = 'application/octet-stream'
      }
    })
    const handler = async (request: FastifyRequest, reply: FastifyReply) =>
      send(reply, await answer(admitted.get(request)!, request, reply))
    for (const url of [ROOT, `${ROOT}/*`]) {
      api.route({ method: [...METHODS], url, exposeHeadRoute: false, bodyLimit, handler })
    }
  })
}

function setCommonHeaders(reply: FastifyReply, { enableCors, version }: AdminDeps): void {
  reply.headers({
    server: `APISIX/${APISIX_VERSION}`,
    'x-gatewright-version': version,
    ...(enableCors && CORS_HEADERS),
  })
}

/** Decides before the body is read: preflight, unknown paths, the key, what answers. Throws the answer of those not let in. */
function createAdmission(deps: AdminDeps): (request: FastifyRequest) => Admitted {
  const authorize = createAuth(deps)
  const dispatch = createDispatch(deps)
  return (request) => {
    const { method, headers } = request
    const target = canonicalizeTarget(request.raw.url ?? '')
    if (!target.ok) throw new Refusal(bareStatus(400, headers.accept))
    if (method === 'OPTIONS' && deps.enableCors) throw new Refusal(PREFLIGHT)
    if (method === 'OPTIONS' || method === 'TRACE') throw new Refusal(bareStatus(405, headers.accept))
    if (method === 'HEAD' && target.path === ROOT) throw new Refusal({ status: 200 })
    const isResource = RESOURCE_METHODS.includes(method) && target.path.startsWith(`${ROOT}/`)
    if (!isResource) throw new Refusal(bareStatus(404, headers.accept))
    const query = new URLSearchParams(target.query)
    authorize(request, query)
    const segments = target.path.slice(ROOT.length + 1).split('/')
    return { endpoint: dispatch(method, segments), segments, query }
  }
}

async function answer(
  { endpoint, segments, query }: Admitted,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Answer> {
  const body = parseBody(request.body as Buffer | undefined)
  const ttl = readTtl(query)
  if (endpoint.isVersioned) reply.header('x-api-version', 'v3')
  const [, id, ...subPath] = segments.filter((segment) => segment !== '')
  return endpoint.answer({ method: request.method, id, subPath, query, body, ttl })
}

function send(reply: FastifyReply, { status, json, text, headers = {} }: Answer): FastifyReply {
  const body = json === undefined ? (text ?? '') : `${JSON.stringify(json)}\n`
  // Bytes, because Fastify would add a charset to the label of a text; every answer is labelled JSON (contract §1.1).
  return reply
    .code(status)
    .headers({ 'content-type': 'application/json', ...headers })
    .send(Buffer.from(body))
}
