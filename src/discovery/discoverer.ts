/** One address that a registry knows for a service. */
export interface DiscoveredNode {
  /** IP or name; IPv6 without brackets. */
  readonly host: string
  /** Absent where the registry says none: then the scheme's own. */
  readonly port: number | undefined
  readonly weight: number
  readonly priority: number
  /** What it is to get at the moment, where the registry knows how the node is doing; `weight` is what it is configured with. */
  readonly live?: LiveWeights
  /** `type/key` of the agents that are reached there; of the gateway's own registry only. */
  readonly agents?: readonly string[]
}

export interface LiveWeights {
  /** The configured weight, less while the node is degraded or has just come back. */
  readonly weight: number
  /** The same, with the node's own figures in it: for `wrr_dynamic`. */
  readonly dynamic: number
}

/** What an upstream asks a registry for: its `service_name` and `discovery_args`. */
export interface DiscoveredService {
  readonly serviceName: string
  readonly args: Readonly<Record<string, unknown>>
}

/** Hears of a service. Neither call may throw. */
export interface NodeSink {
  /**
   * The full set, never a difference; told again whenever it may have changed. `isKnown` is false where a registry says that nobody of
   * the name is registered, usable or not.
   */
  onNodes(nodes: readonly DiscoveredNode[], isKnown?: boolean): void
  /** The registry cannot say at the moment. What was told before stays valid. */
  onProblem(reason: string): void
}

/** Something being watched. Once it is closed, nothing more is told, and timers and calls that it alone needs end. Idempotent. */
export interface Watch {
  close(): void
}

/** One `discovery_type`. Services that several upstreams ask for are looked up once. */
export interface Discoverer {
  readonly type: string
  /** May tell the sink what is known already before it returns. Throws a reason for people when the service cannot be one. */
  watch(service: DiscoveredService, sink: NodeSink): Watch
  /** What the registry told, for the control API (contract §8.1); a value for JSON. Absent where there is no such view, as with dns. */
  dump?(): object
}
