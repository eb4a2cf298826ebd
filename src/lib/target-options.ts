import { decodePathBytes, encodePathBytes, resolvePathBytes } from './percent-encoding.ts'

/** Why a request target is refused with 400. */
export type TargetFault =
  | 'empty-target'
  | 'not-a-path'
  | 'bad-character'
  | 'bad-percent-encoding'
  | 'nul-byte'
  | 'above-root'
  | 'bad-path-parameter'

/** The settings of contract §4.1 and decisions.md 23; all off by default. */
export interface TargetOptions {
  /** `delete_uri_tail_slash`: one trailing slash does not count when matching. The root keeps its own. */
  readonly deleteTailSlash?: boolean | undefined
  /** `normalize_uri_like_servlet`: `;` parameters do not count when matching. */
  readonly servletNormalize?: boolean | undefined
  /** `match_uri_encoded_slash`: `%2F` stays one (upper case) in `matchPath`, where decoding is all that the path needed. */
  readonly encodedSlash?: boolean | undefined
  /** Forward paths with dot segments or a backslash as sent, which APISIX does. */
  readonly forwardRaw?: boolean | undefined
}

/** A path as it was read so far; each option makes a new one. */
export interface TargetReading {
  readonly path: string
  readonly matchPath: string
  readonly forwardTarget: string
}

/** Applies the settings to a path in canonical form; `rawPath` is the path as sent, in origin form. */
export function applyTargetOptions(
  reading: TargetReading,
  rawPath: string,
  options: TargetOptions,
): TargetReading | TargetFault {
  let { path, forwardTarget } = reading
  if (options.servletNormalize === true) {
    // The servlet behind us reads the parameters itself, from the same form that was matched; it never gets the query (§4.1).
    forwardTarget = reencode(rawPath) ?? forwardTarget
    const stripped = stripPathParameters(path)
    if (stripped === undefined) return 'bad-path-parameter'
    path = stripped
  }
  if (options.deleteTailSlash === true && path.length > 1 && path.endsWith('/')) path = path.slice(0, -1)
  const matchPath = options.encodedSlash === true ? keepEncodedSlashes(rawPath, path) : path
  return { path, matchPath, forwardTarget }
}

/** From the bytes, not from the decoded path: that has lost those that are no UTF-8. */
function reencode(rawPath: string): string | undefined {
  const decoded = decodePathBytes(rawPath)
  const resolved = decoded === undefined ? undefined : resolvePathBytes(decoded)
  return resolved === undefined ? undefined : encodePathBytes(resolved.bytes)
}

/** Cuts each segment at its `;`. `undefined` for the forms that servlet containers and gateways read differently. */
function stripPathParameters(path: string): string | undefined {
  if (!path.includes(';')) return path
  const segments = path.split('/')
  for (const [index, segment] of segments.entries()) {
    const cut = segment.indexOf(';')
    if (cut === -1) continue
    const name = segment.slice(0, cut)
    if (name === '.' || name === '..' || (name === '' && index < segments.length - 1)) return undefined
    segments[index] = name
  }
  return segments.join('/')
}

const ENCODED_SLASH = /%2f/i

/** Only where nothing but decoding happened to the path: an encoded slash must not hide a dot segment (§4.1). */
function keepEncodedSlashes(rawPath: string, path: string): string {
  if (!ENCODED_SLASH.test(rawPath) || decode(rawPath) !== path) return path
  return rawPath.split(/%2f/i).map(decode).join('%2F')
}

function decode(rawPath: string): string | undefined {
  return decodePathBytes(rawPath)?.toString('utf8')
}
