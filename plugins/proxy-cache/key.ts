import { createHash } from 'node:crypto'
import { type RequestContext, variableText } from '../../src/plugin/api.ts'
import type { Address } from '../_shared/cache/cache-store.ts'
import type { ProxyCacheConfig } from './schema.ts'

/** A POST with a longer body is not answered from the cache: its body is part of what it asks for. */
const MAX_KEYED_BODY_BYTES = 1024 * 1024

/** What an upstream may build its answer from although no key names it: links, redirects, the resource itself. */
const UNKEYED: ReadonlySet<string> = new Set([
  ...['host', 'forwarded', 'x-forwarded-host', 'x-forwarded-port', 'x-forwarded-proto', 'x-forwarded-scheme'],
  ...['x-forwarded-prefix', 'x-forwarded-server', 'x-forwarded-ssl', 'x-forwarded-uri', 'x-original-host'],
  ...['x-original-url', 'x-rewrite-url', 'x-original-uri', 'x-host', 'x-url-scheme', 'front-end-https'],
  ...['x-http-method', 'x-http-method-override', 'x-method-override'],
])

/** Where the answer to one request is kept. */
export class RequestAddress implements Address {
  readonly key: string
  readonly partition: string
  #raw: readonly string[]

  constructor(key: string, partition: string, context: RequestContext) {
    this.key = key
    this.partition = partition
    this.#raw = context.headers.raw()
  }

  /** From here on the headers stay as they are now, whatever is done to the request on its way to the upstream. */
  keepHeaders(): void {
    this.#raw = [...this.#raw]
  }

  header(name: string): string | undefined {
    let value: string | undefined
    for (let i = 0; i < this.#raw.length; i += 2) {
      if (this.#raw[i]!.length !== name.length || this.#raw[i]!.toLowerCase() !== name) continue
      value = value === undefined ? this.#raw[i + 1]! : `${value}, ${this.#raw[i + 1]!}`
    }
    return value
  }
}

/**
 * Names the answer to a request: by scheme, host, consumer and what `cache_key` says. What must not answer for one another all the
 * same is kept apart below that name, so that one PURGE reaches all of it.
 */
export function compileAddress(config: ProxyCacheConfig): (context: RequestContext) => RequestAddress {
  const parts = config.cache_key.map(compilePart)
  return (context) => {
    const consumer = config.consumer_isolation ? (context.consumer?.name ?? '') : ''
    const key = [context.scheme, context.host, consumer, ...parts.map((part) => part(context))]
    const method = context.method === 'HEAD' ? 'GET' : context.method
    const partition = [method, context.route?.id ?? '', ...unkeyedHeaders(context)]
    return new RequestAddress(JSON.stringify(key), JSON.stringify(partition), context)
  }
}

/** The same address for this body alone; `undefined` when the body is too long to tell. */
export async function withBody(
  address: RequestAddress,
  context: RequestContext,
): Promise<RequestAddress | undefined> {
  let body: Buffer
  try {
    body = await context.readBody(MAX_KEYED_BODY_BYTES)
  } catch {
    // Too long, or the client has left: either way the request goes on as if there were no cache.
    return undefined
  }
  const hash = createHash('sha256').update(body).digest('base64')
  const type = context.headers.get('content-type') ?? ''
  return new RequestAddress(address.key, JSON.stringify([address.partition, type, hash]), context)
}

/** The forms that tell paths apart as the upstream does: `/a%3Fb` is another resource than `/a?b`. */
const WIRE_FORMS: Readonly<Record<string, (context: RequestContext) => string>> = {
  $request_uri: (context) => context.rawTarget,
  $uri: ({ rawTarget }) => {
    const query = rawTarget.indexOf('?')
    return query === -1 ? rawTarget : rawTarget.slice(0, query)
  },
}

function compilePart(text: string): (context: RequestContext) => string {
  if (Object.hasOwn(WIRE_FORMS, text)) return WIRE_FORMS[text]!
  if (!text.startsWith('$')) return () => text
  const name = text.slice(1)
  return (context) => variableText(context.var(name)) ?? ''
}

/** Names and values of those of {@link UNKEYED} that the request has. */
function unkeyedHeaders({ headers }: RequestContext): string[] {
  const raw = headers.raw()
  const found: string[] = []
  for (let i = 0; i < raw.length; i += 2) {
    const name = raw[i]!.toLowerCase()
    // An upstream may read an underscore as a dash.
    if (UNKEYED.has(name.includes('_') ? name.replaceAll('_', '-') : name)) found.push(name, raw[i + 1]!)
  }
  return found
}
