import type { RequestContext } from '../../src/plugin/api.ts'
import { removeCookie } from '../_shared/auth/remove-cookie.ts'

export interface SourceConfig {
  readonly header: string
  readonly query: string
  readonly cookie: string
  readonly hide_credentials: boolean
}

const BEARER = /^bearer +/i

/** How the token of a request is found: in the header, else in the query, else in the cookie; hidden from the upstream when told to. */
export function compileSource(config: SourceConfig): (context: RequestContext) => string | undefined {
  const { query, cookie, hide_credentials: isHidden } = config
  const header = config.header.toLowerCase()
  return (context) => {
    const inHeader = context.headers.get(header)
    if (inHeader !== undefined) {
      if (isHidden) context.headers.remove(header)
      return inHeader.replace(BEARER, '')
    }
    const inQuery = context.arg(query)
    if (inQuery !== undefined) {
      if (isHidden) context.removeArg(query)
      return inQuery
    }
    const inCookie = context.cookie(cookie)
    if (inCookie !== undefined && isHidden) removeCookie(context.headers, cookie)
    return inCookie
  }
}
