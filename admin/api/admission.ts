import type { FastifyRequest } from 'fastify'
import { canonicalizeTarget } from '../../src/lib/canonical-path.ts'
import { ConfigsStore } from '../../src/store/configs-store.ts'
import { Refusal, refuse } from './answer.ts'
import { type Caller, createAuth, refuseOutsideRole } from './auth.ts'
import { bareStatus } from './bare-status.ts'
import type { Endpoint } from './call.ts'
import { PREFLIGHT } from './cors.ts'
import type { AdminDeps } from './deps.ts'
import { createDispatch } from './dispatch.ts'
import { CONFIGS_PATHS, ROOT } from './paths.ts'
import { refuseOutsideVerbs, resourceNameOf } from './scope.ts'
import type { Visit } from './visit.ts'
import { readWriteOptions, type WriteOptions } from './write-options.ts'

const RESOURCE_METHODS: readonly string[] = ['GET', 'PUT', 'POST', 'PATCH', 'DELETE']

/** A request that was let in: who asks, what answers, its path and query, and what is asked of a write. */
export interface Admitted {
  readonly caller: Caller
  readonly endpoint: Endpoint
  /** Of the path below `/apisix/admin`, without empty ones. */
  readonly segments: readonly string[]
  readonly query: URLSearchParams
  readonly options: WriteOptions
  /** The label of the body as it was sent. */
  readonly contentType: string | undefined
}

/**
 * Makes what decides before a body is read: preflight, unknown paths, the key, its role and scope, what answers. It throws the answer
 * of those that are not let in, and writes into the visit what it found out by then.
 */
export function createAdmission(deps: AdminDeps): (request: FastifyRequest, visit: Visit) => Admitted {
  const identify = createAuth(deps)
  const dispatch = createDispatch(deps)
  return (request, visit) => {
    const { headers } = request
    const method = request.method
    const { path, query, hasDots } = readTarget(request, deps)
    const segments = path.split('/').filter((segment) => segment !== '')
    visit.segments = segments
    const caller = identify(request, query)
    visit.caller = caller
    visit.isForced = method === 'DELETE' && query.get('force') === 'true'
    refuseOutsideRole(caller, method)
    const endpoint = dispatch(method, path.split('/'))
    visit.touches = endpoint.touches
    refuseOutsideScope(caller, { method, segments, endpoint })
    if (hasDots) throw refuse(400, 'invalid path: "." and ".." are no ids and lead nowhere; leave them out')
    const options = readWriteOptions(method, query, headers)
    visit.isDryRun = options.isDryRun
    if (endpoint.touches === undefined) refuseOptions(options, `${method} ${segments.join('/')}`)
    return { caller, endpoint, segments, query, options, contentType: headers['content-type'] }
  }
}

/** What asks for more than a write can do must not be told that it was done. */
function refuseOptions({ isDryRun, wait, precondition }: WriteOptions, what: string): void {
  const asked = [
    isDryRun && 'dry_run',
    wait !== undefined && 'wait',
    precondition?.match !== undefined && 'If-Match',
    precondition?.mustBeAbsent && 'If-None-Match',
  ].find((name) => typeof name === 'string')
  if (asked !== undefined) throw refuse(400, `${what} does not support ${asked}; leave it out`)
}

function refuseOutsideScope(
  { scope }: Caller,
  { method, segments, endpoint }: { method: string; segments: readonly string[]; endpoint: Endpoint },
): void {
  if (scope === undefined) return
  const verb = method === 'HEAD' ? 'GET' : method
  refuseOutsideVerbs(scope, { method: verb, resource: resourceNameOf(segments), touches: endpoint.touches })
}

/** What follows the root in the path, and the query; throws the answer to what is no request for a resource. */
function readTarget(
  { method, headers, raw }: FastifyRequest,
  { enableCors, store }: AdminDeps,
): { readonly path: string; readonly query: URLSearchParams; readonly hasDots: boolean } {
  const target = canonicalizeTarget(raw.url ?? '')
  if (!target.ok) throw new Refusal(bareStatus(400, headers.accept))
  if (method === 'OPTIONS' && enableCors) throw new Refusal(PREFLIGHT)
  if (method === 'OPTIONS' || method === 'TRACE') throw new Refusal(bareStatus(405, headers.accept))
  // Where configurations come as a whole, nothing but them is answered (contract §2.4).
  const hasResources = !(store instanceof ConfigsStore)
  if (hasResources && method === 'HEAD' && target.path === ROOT) throw new Refusal({ status: 200 })
  const isAnswered =
    RESOURCE_METHODS.includes(method) || (method === 'HEAD' && target.path === CONFIGS_PATHS[0])
  if (!isAnswered || !target.path.startsWith(`${ROOT}/`)) {
    throw new Refusal(bareStatus(404, headers.accept))
  }
  const path = target.path.slice(ROOT.length + 1)
  return { path, query: new URLSearchParams(target.query), hasDots: hasDotSegments(raw.url ?? '') }
}

/** An id such as `..%2fx` would otherwise make a DELETE of a credential one of its consumer. */
function hasDotSegments(target: string): boolean {
  const [path = ''] = target.split('?', 1)
  return DOT_SEGMENT.test(path.replaceAll(/%2e/gi, '.').replaceAll(/%2f|%5c|\\/gi, '/'))
}

const DOT_SEGMENT = /\/\.{1,2}(?:\/|$)/
