import type { ServerHttp2Session } from 'node:http2'

interface Handle {
  hasPendingData?(): boolean
}

/**
 * Whether nghttp2 has said its last GOAWAY on a connection (a header block that cannot be decoded, a frame on a stream that is over or
 * was never opened) and neither reads nor writes from there on. Node says so to nobody: no event comes, and not even that the client
 * left is noticed. The only place where it shows is what Node itself asks before it ends a closed session; where a release of Node
 * has no such thing, such connections stay for the idle time.
 */
export function hasGivenUp(session: ServerHttp2Session): boolean {
  if (session.closed || session.connecting) return false
  const symbol = Object.getOwnPropertySymbols(session).find(({ description }) => description === 'kHandle')
  if (symbol === undefined) return false
  const handle = (session as unknown as Readonly<Record<symbol, Handle | undefined>>)[symbol]
  return handle?.hasPendingData?.() === false
}
