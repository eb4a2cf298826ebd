import type { TLSSocket } from 'node:tls'

/** Why a handshake came to nothing: a word of a fixed set, for log and metric. The client is told no more than TLS makes necessary. */
export type HandshakeFailure =
  /** Nothing more came in time. */
  | 'timeout'
  /** Plain HTTP or nonsense. */
  | 'not-tls'
  /** No ssl has the name that was asked for, or none was asked for. */
  | 'unknown-name'
  /** The ssl of that name cannot be used, for instance because its authority cannot be read. */
  | 'unusable-ssl'
  /** No version, cipher or other parameter that both sides have. */
  | 'no-common-parameters'
  /** None, one of another authority, or one too far from it. */
  | 'client-certificate'
  /** The client refused: it does not trust the certificate, for instance. */
  | 'client-alert'
  | 'client-left'
  | 'other'

/** Told of every handshake that fails, once; must not throw. */
export type HandshakeObserver = (reason: HandshakeFailure) => void

const BY_CODE: ReadonlyMap<string, HandshakeFailure> = new Map([
  ['ERR_TLS_HANDSHAKE_TIMEOUT', 'timeout'],
  ['ECONNRESET', 'client-left'],
  ['EPIPE', 'client-left'],
  ['ERR_SSL_UNEXPECTED_EOF_WHILE_READING', 'client-left'],
  ['ERR_SSL_NO_SHARED_CIPHER', 'no-common-parameters'],
  ['ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM', 'no-common-parameters'],
  ['ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS', 'no-common-parameters'],
  ['ERR_SSL_NO_SUITABLE_KEY_SHARE', 'no-common-parameters'],
  ['ERR_SSL_NO_SUITABLE_GROUPS', 'no-common-parameters'],
  ['ERR_SSL_UNSUPPORTED_PROTOCOL', 'no-common-parameters'],
  ['ERR_SSL_VERSION_TOO_LOW', 'no-common-parameters'],
  ['ERR_SSL_NO_APPLICATION_PROTOCOL', 'no-common-parameters'],
  ['ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL', 'no-common-parameters'],
  ['ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', 'client-certificate'],
  ['ERR_SSL_CERTIFICATE_VERIFY_FAILED', 'client-certificate'],
])

/** Which one an error of Node's TLS server is. */
export function handshakeFailureOf(
  { code = '' }: NodeJS.ErrnoException,
  { authorizationError }: Pick<TLSSocket, 'authorizationError'>,
): HandshakeFailure {
  // Node hangs up on a client whose certificate it does not accept, and calls that a reset.
  if (authorizationError) return 'client-certificate'
  return BY_CODE.get(code) ?? (code.includes('_ALERT_') ? 'client-alert' : 'other')
}
