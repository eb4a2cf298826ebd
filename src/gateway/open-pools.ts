import { existsSync, readFileSync } from 'node:fs'
import type { Logger } from '../observe/logger.ts'
import type { Settings } from '../settings/settings.ts'
import type { ClientCertificates } from '../upstream/client-certificates.ts'
import { Http1Pool } from '../upstream/h1/pool.ts'
import { Http2Pool } from '../upstream/h2/pool.ts'
import { type PoolIdentity, PoolRegistry } from '../upstream/pool-registry.ts'
import { ServerNamePools } from '../upstream/server-name-pools.ts'
import { formatAddress, isHttp2Scheme } from '../upstream/spec.ts'
import { TlsContexts } from '../upstream/tls-contexts.ts'
import { type ConnectionPool, NO_WARMING } from '../upstream/transport.ts'

/** What TLS to nodes is made with. Throws when `apisix.ssl.ssl_trusted_certificate` names a file that cannot be read. */
export function createTlsContexts({ apisix }: Settings, clientCertificates: ClientCertificates): TlsContexts {
  const trustedCertificates = readTrusted(apisix.ssl.ssl_trusted_certificate)
  return new TlsContexts({ clientCertificates, trustedCertificates })
}

/** The pools of one gateway. */
export function createPools(contexts: TlsContexts, logger: Logger): PoolRegistry {
  return new PoolRegistry((identity) => {
    if (identity.serverName === undefined) return openPool(identity)
    if (identity.tls?.verify !== true) warnOfUnchecked(identity, logger)
    const secureContext = () => contexts.contextFor(identity.tls)
    return new ServerNamePools({ ...identity, secureContext }, openPool)
  })
}

/** Stand-ins for a process that sends no requests: nothing is opened for them. */
export function createUnusedPools(): PoolRegistry {
  return new PoolRegistry(() => UNUSED_POOL)
}

const UNUSED_POOL: ConnectionPool = {
  send: () => {
    throw new Error('a control plane sends no requests')
  },
  warm: () => NO_WARMING,
  close: () => undefined,
}

function openPool(identity: PoolIdentity): ConnectionPool {
  const now = () => performance.now()
  return isHttp2Scheme(identity.scheme) ? new Http2Pool(identity, now) : new Http1Pool(identity, now)
}

/** Decisions.md 10: off by default, as APISIX's schema says, and not without a word. */
function warnOfUnchecked({ host, port }: PoolIdentity, logger: Logger): void {
  logger.warn(
    { node: formatAddress(host, port) },
    'the certificate of a node is not checked; set tls.verify: true in its upstream to have it checked',
  )
}

/** Where systems keep the authorities they trust, the first that exists. */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

/** The authorities of `ssl_trusted_certificate` in PEM, `undefined` for those of Node.js. Throws when the file cannot be used. */
export function readTrusted(path: string): string | undefined {
  const file = path === 'system' ? SYSTEM_BUNDLES.find((bundle) => existsSync(bundle)) : path
  if (file === undefined) return undefined
  try {
    const text = readFileSync(file, 'utf8')
    if (text.includes('-----BEGIN')) return text
  } catch (error) {
    throw new Error(
      `apisix.ssl.ssl_trusted_certificate: "${file}" cannot be read (${(error as Error).message}); name a PEM file, or "system"`,
    )
  }
  throw new Error(
    `apisix.ssl.ssl_trusted_certificate: "${file}" holds no PEM certificate; name a PEM file, or "system"`,
  )
}
