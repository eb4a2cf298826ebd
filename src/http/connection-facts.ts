import type { Socket } from 'node:net'
import type { IpSet } from '../lib/ip-set.ts'
import { type SecureConnection, secureConnectionOf } from './tls/secure-connection.ts'

/** What a connection says about its peer; read from the socket once, not per request. */
export interface ConnectionFacts {
  readonly peerAddr: string
  readonly peerPort: number
  readonly serverAddr: string
  readonly serverPort: number
  readonly scheme: 'http' | 'https'
  /** Absent for a plain one. */
  readonly tls?: SecureConnection | undefined
  /** Its `X-Forwarded-*` are believed (`apisix.trusted_addresses`). */
  readonly isTrusted: boolean
  /** Its real-IP header is believed (`nginx_config.http.real_ip_from`). */
  readonly isRealIpSource: boolean
}

export interface TrustedPeers {
  readonly forwarded: IpSet
  readonly realIp: IpSet
}

const facts = Symbol('connection facts')

type KnownSocket = Socket & { [facts]?: ConnectionFacts; encrypted?: boolean }

export function connectionFacts(socket: Socket, trusted: TrustedPeers): ConnectionFacts {
  const known = socket as KnownSocket
  known[facts] ??= readFacts(known, trusted)
  return known[facts]
}

function readFacts(socket: KnownSocket, trusted: TrustedPeers): ConnectionFacts {
  const peerAddr = plain(socket.remoteAddress ?? '')
  return {
    peerAddr,
    peerPort: socket.remotePort ?? 0,
    serverAddr: plain(socket.localAddress ?? ''),
    serverPort: socket.localPort ?? 0,
    scheme: socket.encrypted === true ? 'https' : 'http',
    tls: secureConnectionOf(socket),
    isTrusted: trusted.forwarded.has(peerAddr),
    isRealIpSource: trusted.realIp.has(peerAddr),
  }
}

/** A dual-stack listener shows IPv4 peers as `::ffff:1.2.3.4`. */
function plain(address: string): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}
