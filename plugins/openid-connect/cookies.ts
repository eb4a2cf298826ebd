import type { RequestContext } from '../../src/plugin/api.ts'
import { removeCookie } from '../_shared/auth/remove-cookie.ts'
import { isOverTls } from './origin.ts'
import type { OpenidConnectConfig } from './schema.ts'

type SessionConfig = NonNullable<OpenidConnectConfig['session']>

/** Browsers keep at least 4096 bytes for each cookie, its name and attributes among them (RFC 6265 §6.1). */
const CHUNK_LENGTH = 3800
/** All chunks have to fit into the head of a request. */
const MAX_CHUNKS = 6

/** A value that does not fit into the cookies of one request. */
export class CookieTooLongError extends Error {
  override readonly name = 'CookieTooLongError'
}

/** The cookies of one configuration. A long value is cut in chunks: `name`, `name2`, …; the first says how many there are. */
export class Cookies {
  readonly #config: SessionConfig

  constructor(config: SessionConfig) {
    this.#config = config
  }

  get name(): string {
    return this.#config.cookie_name
  }

  read(context: RequestContext, name = this.name): string | undefined {
    const first = context.cookie(name)
    const match = first === undefined ? null : /^(\d)\.(.*)$/.exec(first)
    if (!match) return undefined
    let value = match[2]!
    for (let i = 2; i <= Number(match[1]); i++) {
      const part = context.cookie(`${name}${i}`)
      if (part === undefined) return undefined
      value += part
    }
    return value
  }

  /** Lines for `Set-Cookie`. Without `maxAgeSeconds` the browser forgets it when it closes. Throws {@link CookieTooLongError}. */
  write(
    context: RequestContext,
    value: string,
    { name = this.name, maxAgeSeconds }: WriteOptions = {},
  ): string[] {
    const count = Math.ceil(value.length / CHUNK_LENGTH)
    if (count > MAX_CHUNKS) {
      throw new CookieTooLongError(
        `the session has ${value.length} characters and cookies hold ${CHUNK_LENGTH * MAX_CHUNKS}; use session.storage redis, or leave tokens out with session_contents`,
      )
    }
    const attributes = this.#attributes(context)
    const age = maxAgeSeconds === undefined ? '' : `; Max-Age=${maxAgeSeconds}`
    const lines = []
    for (let i = 0; i < count; i++) {
      const part = value.slice(i * CHUNK_LENGTH, (i + 1) * CHUNK_LENGTH)
      lines.push(`${name}${i === 0 ? '' : i + 1}=${i === 0 ? `${count}.` : ''}${part}${age}${attributes}`)
    }
    return [...lines, ...this.#expireChunks(context, name, count + 1)]
  }

  /** Lines that take the cookie and its chunks out of the browser. */
  expire(context: RequestContext, name = this.name): string[] {
    if (context.cookie(name) === undefined) return []
    return [`${name}=; Max-Age=0${this.#attributes(context)}`, ...this.#expireChunks(context, name, 2)]
  }

  /** Keeps them from the upstream. */
  hide(context: RequestContext, name = this.name): void {
    removeCookie(context.headers, name)
    for (let i = 2; i <= MAX_CHUNKS; i++) {
      if (context.cookie(`${name}${i}`) !== undefined) removeCookie(context.headers, `${name}${i}`)
    }
  }

  /** Names of the request's cookies that begin so. */
  named(context: RequestContext, prefix: string): string[] {
    const pairs = context.headers.all('cookie').flatMap((line) => line.split(';'))
    return pairs.map((pair) => pair.split('=', 1)[0]!.trim()).filter((name) => name.startsWith(prefix))
  }

  #expireChunks(context: RequestContext, name: string, from: number): string[] {
    const lines = []
    for (let i = from; i <= MAX_CHUNKS; i++) {
      if (context.cookie(`${name}${i}`) !== undefined) {
        lines.push(`${name}${i}=; Max-Age=0${this.#attributes(context)}`)
      }
    }
    return lines
  }

  #attributes(context: RequestContext): string {
    const { cookie_path, cookie_domain, cookie_http_only, cookie_same_site, cookie_secure } = this.#config
    const isSecure = cookie_secure ?? isOverTls(context)
    const domain = cookie_domain === undefined ? '' : `; Domain=${cookie_domain}`
    return `; Path=${cookie_path}${domain}${cookie_http_only ? '; HttpOnly' : ''}; SameSite=${cookie_same_site}${isSecure ? '; Secure' : ''}`
  }
}

interface WriteOptions {
  readonly name?: string
  readonly maxAgeSeconds?: number
}
