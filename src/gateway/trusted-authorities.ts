import { existsSync, readFileSync } from 'node:fs'
import { rootCertificates } from 'node:tls'

/** Where systems keep the authorities they trust, the first that exists. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

/** What to read authorities from besides the files that are named. */
export interface SystemAuthorities {
  /** Bundles of the system, the first that exists counts. */
  readonly bundles?: readonly string[]
  /** `NODE_EXTRA_CA_CERTS` belongs to the system's authorities as it does to those of Node.js. */
  readonly env?: Readonly<Record<string, string | undefined>>
}

/**
 * The authorities of `ssl_trusted_certificate` in PEM: files, `system`, or several of them with commas between (as in APISIX); `undefined`
 * for those of Node.js. Throws with the name of a file that cannot be used.
 */
export function readTrusted(
  setting: string,
  { bundles = SYSTEM_BUNDLES, env = process.env }: SystemAuthorities = {},
): string | undefined {
  const names = setting.split(',').map((name) => name.trim())
  const bundle = bundles.find((path) => existsSync(path))
  // Node.js has read the extra ones already.
  if (bundle === undefined && names.every((name) => name === 'system')) return undefined
  const extra = env['NODE_EXTRA_CA_CERTS']
  // Node.js warns of one that it cannot read, and starts.
  const hasExtra = extra !== undefined && extra !== bundle && existsSync(extra)
  const system = () => [
    bundle === undefined ? rootCertificates.join('\n') : readPem(bundle),
    ...(hasExtra ? [readPem(extra)] : []),
  ]
  return names.flatMap((name) => (name === 'system' ? system() : [readPem(name)])).join('\n')
}

function readPem(file: string): string {
  const help = 'name a PEM file, or "system"'
  try {
    const text = readFileSync(file, 'utf8')
    if (text.includes('-----BEGIN')) return text
  } catch (error) {
    const reason = (error as Error).message
    throw new Error(`apisix.ssl.ssl_trusted_certificate: "${file}" cannot be read (${reason}); ${help}`)
  }
  throw new Error(`apisix.ssl.ssl_trusted_certificate: "${file}" holds no PEM certificate; ${help}`)
}
