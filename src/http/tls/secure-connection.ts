import type { TLSSocket } from 'node:tls'
import type { TlsView } from '../../plugin/context/context.ts'
import type { CertificateIndex } from '../../snapshot/certificate-index.ts'
import type { ClientCheck, ServerCertificate } from '../../snapshot/server-certificate.ts'
import { type LeaveObserver, leaveSoon } from '../leave.ts'

/** How a connection came about. */
export interface Handshake {
  /** Canonical. */
  readonly serverName: string
  readonly certificate: ServerCertificate
  readonly onLeave: LeaveObserver
}

/** One client's TLS connection: which name it asked for, and what it has proven about itself. */
export class SecureConnection implements TlsView {
  readonly serverName: string
  readonly #socket: TLSSocket
  /** The trust of the check that the client's certificate has passed. */
  readonly #provenTrust: string | undefined
  readonly #onLeave: LeaveObserver
  /** The one that was shown, or another one with the same content; absent once the client has been told to connect anew. */
  #shown: ServerCertificate | undefined
  /** The answer of the last look-up: requests of a connection mostly name one host. */
  #askedHost: string | undefined = undefined
  #askedIndex: CertificateIndex | undefined = undefined
  #check: ClientCheck | undefined = undefined

  constructor(socket: TLSSocket, { serverName, certificate, onLeave }: Handshake) {
    const { clientCheck } = certificate
    this.serverName = serverName
    this.#socket = socket
    this.#shown = certificate
    this.#onLeave = onLeave
    const isProven =
      clientCheck && socket.authorized && intermediates(socket, clientCheck) <= clientCheck.depth
    this.#provenTrust = isProven ? clientCheck.trust : undefined
  }

  get hasProvenClient(): boolean {
    return this.#provenTrust !== undefined
  }

  /**
   * Whether a request for `host` and `path` (canonical) may be served on this connection (contract §5.8). What counts is the check
   * in force now: a connection from before it was set up has proven nothing to it.
   */
  mayRequest(host: string, path: string, certificates: CertificateIndex): boolean {
    if (this.#askedIndex !== certificates) this.#review(certificates)
    if (this.#askedHost !== host || this.#askedIndex !== certificates) {
      this.#askedHost = host
      this.#askedIndex = certificates
      this.#check = certificates.find(host)?.clientCheck
    }
    const check = this.#check
    if (!check) return true
    if (host !== this.serverName) return false
    return this.#provenTrust === check.trust || check.isFree(path)
  }

  /** Lets the connection go when its name has another certificate by now, or none. */
  #review(certificates: CertificateIndex): void {
    if (!this.#shown) return
    const inForce = certificates.find(this.serverName)
    const isSame = inForce === this.#shown || (inForce && isSamePair(inForce, this.#shown))
    this.#shown = isSame ? inForce : undefined
    if (isSame) return
    this.#onLeave('certificate')
    leaveSoon(this.#socket)
  }

  variable(name: string): string | undefined {
    return VARIABLES.get(name)?.(this, this.#socket)
  }
}

/**
 * Certificates between the client's and the authority's. Where Node does not show the chain (nodejs/node#65579: 24.21, 26.8; resumed
 * sessions), only a certificate that an authority has issued itself is known to have none: any other counts as too long.
 */
function intermediates(socket: TLSSocket, { authorities }: ClientCheck): number {
  let certificate = socket.getPeerCertificate(true)
  if (!certificate.issuerCertificate) return isIssuedByOne(socket, authorities) ? 0 : Number.POSITIVE_INFINITY
  let above = 0
  while (certificate.issuerCertificate && certificate.issuerCertificate !== certificate) {
    certificate = certificate.issuerCertificate
    above++
  }
  return Math.max(0, above - 1)
}

function isIssuedByOne(socket: TLSSocket, authorities: ClientCheck['authorities']): boolean {
  const certificate = socket.getPeerX509Certificate()
  return authorities.some((one) => certificate?.checkIssued(one) && certificate.verify(one.publicKey))
}

/** Keys go with their certificates. */
function isSamePair({ options: { cert: one } }: ServerCertificate, { options }: ServerCertificate): boolean {
  return one.length === options.cert.length && one.every((pem, index) => pem === options.cert[index])
}

/** nginx's `ssl_*`, without the prefix. */
const VARIABLES: ReadonlyMap<
  string,
  (connection: SecureConnection, socket: TLSSocket) => string | undefined
> = new Map([
  ['server_name', ({ serverName }) => serverName],
  ['protocol', (_, socket) => socket.getProtocol()?.replace(/^TLSv1$/, 'TLSv1.0') ?? undefined],
  ['cipher', (_, socket) => socket.getCipher().name],
  ['client_verify', (connection, socket) => verification(connection, socket)],
  ['client_s_dn', (_, socket) => distinguishedName(socket.getPeerX509Certificate()?.subject)],
  ['client_i_dn', (_, socket) => distinguishedName(socket.getPeerX509Certificate()?.issuer)],
  ['client_serial', (_, socket) => socket.getPeerX509Certificate()?.serialNumber],
  [
    'client_fingerprint',
    (_, socket) => socket.getPeerX509Certificate()?.fingerprint.replaceAll(':', '').toLowerCase(),
  ],
  ['client_raw_cert', (_, socket) => socket.getPeerX509Certificate()?.toString()],
])

function verification({ hasProvenClient }: SecureConnection, socket: TLSSocket): string {
  if (hasProvenClient) return 'SUCCESS'
  if (!socket.getPeerX509Certificate()) return 'NONE'
  return `FAILED:${socket.authorizationError ?? 'certificate chain too long'}`
}

/** RFC 2253 order on one line, from OpenSSL's one attribute a line. */
function distinguishedName(lines: string | undefined): string | undefined {
  return lines?.split('\n').reverse().join(',')
}

const secure = Symbol('secure connection')

type KnownSocket = object & { [secure]?: SecureConnection }

/** Ties what is known to the socket that requests arrive on. */
export function markSecure(socket: TLSSocket, connection: SecureConnection): void {
  const known = socket as KnownSocket
  known[secure] = connection
}

/** What {@link markSecure} tied to it; also through the proxy that HTTP/2 shows for a socket. */
export function secureConnectionOf(socket: object): SecureConnection | undefined {
  return (socket as KnownSocket)[secure]
}
