import type { PinnedProcess } from './pinned-process.ts'

/** Where a server under measurement runs and what it stands in front of. */
export interface ServerPlace {
  readonly core: number
  /** Port of 127.0.0.1 where the origin answers. */
  readonly originPort: number
  /** A folder of this server alone, removed by the caller afterwards. */
  readonly folder: string
}

/** A proxy that answers at `http://127.0.0.1:port` with what the origin says. */
export interface BenchServer {
  readonly port: number
  readonly process: PinnedProcess
  /** What the load has to send beside its usual headers. */
  readonly requestHeaders?: Readonly<Record<string, string>>
}

/** One row of the end-to-end bench. */
export interface Contender {
  readonly name: string
  /** The command it cannot do without, where that is not Node itself. */
  readonly needs?: string
  start(place: ServerPlace): Promise<BenchServer>
}

/** A proxy in front of an origin of bodies, listening for each kind of client. */
export interface DoorsServer {
  readonly ports: DoorPorts
  readonly process: PinnedProcess
}

/** Of 127.0.0.1. */
export interface DoorPorts {
  /** HTTP/1.1 without TLS. */
  readonly plain: number
  /** HTTP/2 with prior knowledge. */
  readonly http2: number
  /** TLS with HTTP/1.1 and HTTP/2 by ALPN. */
  readonly tls: number
}
