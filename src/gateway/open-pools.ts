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
import { readTrusted } from './trusted-authorities.ts'

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
