import { constants } from 'node:crypto'
import type { SecureVersion, TlsOptions } from 'node:tls'
import type { TlsVersion } from '../../model/types.ts'
import type { ServerCertificate } from '../../snapshot/server-certificate.ts'

/** What the settings say about every handshake (`apisix.ssl`). */
export interface TlsDefaults {
  readonly protocols: readonly TlsVersion[]
  /** OpenSSL's list; the suites of TLS 1.3 are all on unless it names some. */
  readonly ciphers: string
  readonly hasSessionTickets: boolean
  /** Application protocols, the preferred one first. */
  readonly alpn: readonly string[]
}

const ALL_VERSIONS: readonly TlsVersion[] = ['TLSv1.1', 'TLSv1.2', 'TLSv1.3']

const SWITCH_OFF: Readonly<Record<TlsVersion, number>> = {
  'TLSv1.1': constants.SSL_OP_NO_TLSv1_1,
  'TLSv1.2': constants.SSL_OP_NO_TLSv1_2,
  'TLSv1.3': constants.SSL_OP_NO_TLSv1_3,
}

const TLS_13_SUITES = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'

/** The options of a TLS server that does the handshakes of one certificate. */
export function serverOptions(
  { options, protocols, clientCheck }: ServerCertificate,
  defaults: TlsDefaults,
): TlsOptions {
  const versions = protocols ?? defaults.protocols
  const offered = ALL_VERSIONS.filter((version) => versions.includes(version))
  // A session carries the result of a client check; one that cannot be resumed cannot carry it anywhere.
  const mayResume = defaults.hasSessionTickets && !clientCheck
  return {
    ...options,
    minVersion: offered[0] as SecureVersion,
    maxVersion: offered.at(-1) as SecureVersion,
    secureOptions: secureOptions(offered) | (mayResume ? 0 : constants.SSL_OP_NO_TICKET),
    ciphers: defaults.ciphers.includes('TLS_') ? defaults.ciphers : `${TLS_13_SUITES}:${defaults.ciphers}`,
    honorCipherOrder: true,
    ALPNProtocols: [...defaults.alpn],
    requestCert: clientCheck !== undefined,
    rejectUnauthorized: clientCheck !== undefined && !clientCheck.hasFreePaths,
  }
}

/** Lowest and highest version leave a gap between them open. */
function secureOptions(offered: readonly TlsVersion[]): number {
  return ALL_VERSIONS.filter((version) => !offered.includes(version)).reduce(
    (bits, version) => bits | SWITCH_OFF[version],
    0,
  )
}
