import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify'
import fastifyPlugin from 'fastify-plugin'
import { createIpSet } from '../../src/lib/ip-set.ts'
import { ConfigsStore } from '../../src/store/configs-store.ts'
import { type Admitted, createAdmission } from './admission.ts'
import type { Answer } from './answer.ts'
import { Audit } from './audit.ts'
import { bareStatus } from './bare-status.ts'
import { parseBody } from './body.ts'
import { CONFIGS_BODY_LIMIT } from './configs.ts'
import { CORS_HEADERS } from './cors.ts'
import { type AdminDeps, DEFAULT_BODY_LIMIT } from './deps.ts'
import { RecentClaims } from './duplicate-keys.ts'
import { answerFailure } from './failure.ts'
import { OPENAPI_PAGE } from './openapi/page.ts'
import { CONFIGS_PATHS, OPENAPI_PAGE_PATH, ROOT } from './paths.ts'
import { installRegistry } from './registry/registry-api.ts'
import { readTtl } from './ttl.ts'
import { openVisit, type Visit } from './visit.ts'

export type { AppliedRevisions } from './applied.ts'
export type { AuditEntry, AuditSink } from './audit.ts'
export type { ClusterNode, ClusterView } from './cluster.ts'
export type { AdminDeps, AdminKey, Dependent, PluginCatalogue, PluginDescription } from './deps.ts'

/** The version whose dialect is spoken: clients read it from the `Server` header (decisions 8). */
const APISIX_VERSION = '3.18.0'
const METHODS = ['GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const

/** Ends a request: tells the audit log and sends. */
type Finish = (request: FastifyRequest, reply: FastifyReply, answer: Answer) => FastifyReply

/**
 * The admin API v3 as a Fastify plugin (contract §1.1–1.8). It is made for an instance of its own: the address check, the
 * headers and the answers to errors and unknown paths hold for all of that instance. Throws on an `allowAdmin` that is no address.
 */
export function createAdminApi(deps: AdminDeps): FastifyPluginAsync {
  return fastifyPlugin(
    async (app: FastifyInstance) => install(app, { ...deps, recentClaims: new RecentClaims() }),
    {
      name: 'gatewright-admin-api',
      fastify: '5.x',
    },
  )
}

function install(app: FastifyInstance, deps: AdminDeps): void {
  const bodyLimit = deps.bodyLimit ?? DEFAULT_BODY_LIMIT
  const allowed = deps.allowAdmin && createIpSet(deps.allowAdmin)
  const audit = deps.audit && new Audit(deps.audit, deps.clock)
  const visits = new WeakMap<FastifyRequest, Visit>()
  const finish: Finish = (request, reply, answer) => {
    audit?.record(visits.get(request) ?? openVisit(request), answer)
    return send(reply, answer)
  }

  app.addHook('onRequest', async (request, reply) => {
    visits.set(request, openVisit(request))
    setCommonHeaders(reply, deps)
    if (request.method === 'OPTIONS') reply.removeHeader('access-control-expose-headers')
    if (allowed && !allowed.has(request.socket.remoteAddress ?? '')) {
      return finish(request, reply, bareStatus(403, request.headers.accept))
    }
  })
  app.setNotFoundHandler((request, reply) => finish(request, reply, bareStatus(404, request.headers.accept)))
  app.setErrorHandler((error, request, reply) => {
    const limit = request.routeOptions.bodyLimit ?? bodyLimit
    return finish(request, reply, answerFailure(error, request, { logger: deps.logger, bodyLimit: limit }))
  })
  // Beside the resources, because a browser that opens it has no key to send yet.
  if (!(deps.store instanceof ConfigsStore)) {
    const page = (request: FastifyRequest, reply: FastifyReply) => finish(request, reply, OPENAPI_PAGE)
    app.get(OPENAPI_PAGE_PATH, { exposeHeadRoute: false }, page)
  }
  void app.register(async (api) => installResources(api, deps, { visits, finish }))
  const { registry } = deps
  if (registry)
    void app.register(async (api) => installRegistry(api, { ...deps, registry }, { visits, finish }))
}

function installResources(
  api: FastifyInstance,
  deps: AdminDeps,
  { visits, finish }: { visits: WeakMap<FastifyRequest, Visit>; finish: Finish },
): void {
  const bodyLimit = deps.bodyLimit ?? DEFAULT_BODY_LIMIT
  const admit = createAdmission(deps)
  const admitted = new WeakMap<FastifyRequest, Admitted>()
  api.removeAllContentTypeParsers()
  api.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  api.addHook('onRequest', async (request, reply) => {
    const found = admit(request, visits.get(request)!)
    admitted.set(request, found)
    if (found.options.isDryRun) reply.header('x-gatewright-dry-run', 'true')
    // The label is ignored (contract §1.1): Fastify would refuse a body for a malformed one before it is read.
    if (found.contentType !== undefined) request.headers['content-type'] = 'application/octet-stream'
  })
  const handler = async (request: FastifyRequest, reply: FastifyReply) =>
    finish(request, reply, await answer(admitted.get(request)!, request, reply))
  const route = (url: string, limit: number) =>
    api.route({ method: [...METHODS], url, exposeHeadRoute: false, bodyLimit: limit, handler })
  for (const url of [ROOT, `${ROOT}/*`]) route(url, bodyLimit)
  for (const url of CONFIGS_PATHS) route(url, CONFIGS_BODY_LIMIT)
}

function setCommonHeaders(reply: FastifyReply, { enableCors, version }: AdminDeps): void {
  reply.headers({
    server: `APISIX/${APISIX_VERSION}`,
    'x-gatewright-version': version,
    ...(enableCors && CORS_HEADERS),
  })
}

async function answer(
  { caller: { scope }, endpoint, segments, query, options, contentType }: Admitted,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<Answer> {
  const raw = request.body as Buffer | undefined
  if (endpoint.answerRaw !== undefined) {
    const headers = { ...request.headers, 'content-type': contentType }
    return endpoint.answerRaw({ body: raw, headers })
  }
  const body = parseBody(raw)
  const ttl = readTtl(query)
  if (endpoint.isVersioned) reply.header('x-api-version', 'v3')
  const [, id, ...subPath] = segments
  return endpoint.answer({ method: request.method, id, subPath, query, body, ttl, options, scope })
}

function send(reply: FastifyReply, { status, json, text, headers = {} }: Answer): FastifyReply {
  const body = json === undefined ? (text ?? '') : `${JSON.stringify(json)}\n`
  // Bytes, because Fastify would add a charset to the label of a text; every answer is labelled JSON (contract §1.1).
  return reply
    .code(status)
    .headers({ 'content-type': 'application/json', ...headers })
    .send(Buffer.from(body))
}
