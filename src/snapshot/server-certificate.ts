import { createPrivateKey, X509Certificate } from 'node:crypto'
import { createSecureContext } from 'node:tls'
import { compilePcre } from '../lib/pcre.ts'
import { PatternLimitError, type SafePattern, UnsafePatternError } from '../lib/safe-pattern.ts'
import type { Ssl, SslClient, TlsVersion } from '../model/types.ts'
import { checkCertificate } from './check-pem.ts'

/** What a TLS server needs of an ssl: `cert[i]` belongs to `key[i]`. */
export interface SecureOptions {
  readonly cert: string[]
  readonly key: string[]
  readonly ca?: string
}

/** How clients of a name prove who they are. */
export interface ClientCheck {
  /** Equal for two checks that trust the same certificates: what was proven to one holds for the other. */
  readonly trust: string
  /** Intermediate certificates that may stand between the client's and the authority's. */
  readonly depth: number
  /** The certificates of `client.ca`. */
  readonly authorities: readonly X509Certificate[]
  /** Some paths need no certificate: then the handshake asks for one and the request decides. */
  readonly hasFreePaths: boolean
  isFree(path: string): boolean
}

/** An enabled ssl of type server, ready for handshakes. */
export interface ServerCertificate {
  readonly id: string
  /** Lower case, without a dot at the end; `*.` in front stands for one label, `*` for every name. */
  readonly names: readonly string[]
  readonly options: SecureOptions
  /** Its own TLS versions; absent leaves it to the settings. */
  readonly protocols: readonly TlsVersion[] | undefined
  readonly clientCheck: ClientCheck | undefined
  /** Why every handshake is refused: how clients are to be checked is not known, and to go unchecked is no choice. */
  readonly refusal: string | undefined
}

/** Compiles an ssl of type server. Throws when its certificates, or how it checks those of clients, cannot be used. */
export function compileServerCertificate(id: string, ssl: Ssl): ServerCertificate {
  const names = [...new Set((ssl.snis ?? [ssl.sni!]).map(canonicalServerName))]
  const protocols = ssl.ssl_protocols?.length ? ssl.ssl_protocols : undefined
  const clientCheck = ssl.client && compileClientCheck(ssl.client)
  return { id, names, protocols, options: secureOptionsOf(ssl), clientCheck, refusal: undefined }
}

/**
 * The options of an ssl, proven to make a context. Of several pairs with keys of one type the last one counts: a handshake chooses by
 * type. References to secrets must be resolved before. Throws with a reason that quotes nothing secret.
 */
export function secureOptionsOf({ cert, key, certs = [], keys = [], client }: Ssl): SecureOptions {
  const pairs = [cert!, ...certs].map((certificate, index) => ({
    cert: certificate,
    key: [key!, ...keys][index]!,
  }))
  try {
    const used = pairs.length > 1 ? lastOfEachType(pairs) : pairs
    const options = {
      cert: used.map((pair) => pair.cert),
      key: used.map((pair) => pair.key),
      ...(client && { ca: client.ca }),
    }
    createSecureContext(options)
    return options
  } catch (error) {
    throw new Error(`certificate and key cannot be used together: ${(error as Error).message}`)
  }
}

interface Pair {
  readonly cert: string
  readonly key: string
}

/** Throws when a certificate and its key do not belong together. */
function lastOfEachType(pairs: readonly Pair[]): Pair[] {
  for (const pair of pairs) createSecureContext(pair)
  return [...new Map(pairs.map((pair) => [createPrivateKey(pair.key).asymmetricKeyType, pair])).values()]
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** Throws when nobody could be checked with it. */
export function compileClientCheck({
  ca,
  depth = 1,
  skip_mtls_uri_regex: sources = [],
}: SslClient): ClientCheck {
  const problem = checkCertificate(ca)
  if (problem !== undefined) throw new Error(`client.ca: ${problem}`)
  const patterns = sources.map((source, index) => {
    const place = `client.skip_mtls_uri_regex[${index}]`
    const pattern = compileAt(place, source)
    if (!pattern) throw new Error(`${place}: "${source}" is no regular expression`)
    return pattern
  })
  return {
    trust: trustOf({ ca, depth }),
    depth,
    authorities: (ca.match(PEM_CERTIFICATE) ?? []).map((pem) => new X509Certificate(pem)),
    hasFreePaths: patterns.length > 0,
    isFree: (path) => patterns.some((pattern) => isFound(pattern, path)),
  }
}

function compileAt(place: string, source: string): SafePattern | undefined {
  try {
    return compilePcre(source)
  } catch (error) {
    if (error instanceof UnsafePatternError) throw new Error(`${place}: ${error.message}`)
    throw error
  }
}

/** A path that is too long to tell is not one that needs no certificate. */
function isFound(pattern: SafePattern, path: string): boolean {
  try {
    return pattern.test(path)
  } catch (error) {
    if (error instanceof PatternLimitError) return false
    throw error
  }
}

/** {@link ClientCheck.trust} of a `client` whose references are resolved. */
export function trustOf({ ca, depth = 1 }: SslClient): string {
  return `${depth} ${ca}`
}

/** Lower case, without a dot at the end: the form in which names are compared. */
export function canonicalServerName(name: string): string {
  return (name.endsWith('.') ? name.slice(0, -1) : name).toLowerCase()
}
