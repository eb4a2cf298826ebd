import type { RequestContext } from '../../src/plugin/api.ts'
import { encodePath } from '../_shared/uri/encoding.ts'
import { originOf } from './origin.ts'

/** Where the provider sends browsers back to. */
export interface RedirectUri {
  /** For a login that this request begins. */
  of(context: RequestContext): string
  /** Whether this request comes back from the provider. */
  isHere(context: RequestContext): boolean
}

const SUFFIX = '/.apisix/redirect'

/** From `redirect_uri`: a URL, a path, or absent for a path below that of the request (contract §7.1). */
export function compileRedirectUri(configured: string | undefined): RedirectUri {
  if (configured === undefined) return besideRequest
  const isPath = configured.startsWith('/')
  const path = decodedPath(isPath ? configured : new URL(configured).pathname)
  return {
    of: (context) => (isPath ? `${originOf(context)}${configured}` : configured),
    isHere: (context) => context.path === path,
  }
}

const besideRequest: RedirectUri = {
  of(context) {
    const base = context.path.endsWith('/') ? context.path.slice(0, -1) : context.path
    return `${originOf(context)}${encodePath(base)}${SUFFIX}`
  },
  isHere: ({ path }) => path.endsWith(SUFFIX),
}

function decodedPath(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    // A stray percent sign: requests for it are refused before they come here.
    return path
  }
}
