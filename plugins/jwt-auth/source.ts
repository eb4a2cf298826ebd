import type { RequestContext } from '../../src/plugin/api.ts'
import { removeCookie } from '../_shared/auth/remove-cookie.ts'
import { isRepeated } from '../_shared/auth/repeated.ts'

/** Names of header, query argument and cookie. */
export interface SourceConfig {
  readonly header: string
  readonly query: string
  readonly cookie: string
}

/** Where the token of a request stands: in the header, else in the query, else in the cookie. */
export interface Source {
  read(context: RequestContext): string | undefined
  isRepeated(context: RequestContext): boolean
  /** Takes the one that is read out of what the upstream gets. */
  hide(context: RequestContext): void
}

const BEARER = /^bearer +/i

export function compileSource({ query, cookie, ...config }: SourceConfig): Source {
  const header = config.header.toLowerCase()
  return {
    read(context) {
      const token = context.headers.get(header)?.replace(BEARER, '')
      return token ?? context.arg(query) ?? context.cookie(cookie)
    },
    isRepeated: ({ headers }) => isRepeated(headers, header),
    hide(context) {
      if (context.headers.has(header)) context.headers.remove(header)
      else if (context.arg(query) !== undefined) context.removeArg(query)
      else removeCookie(context.headers, cookie)
    },
  }
}
