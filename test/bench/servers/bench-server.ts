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
