import type { RequestObserver } from '../http/close.ts'
import { createHandler, type SnapshotSource } from '../http/handle.ts'
import type { PressureGate } from '../http/pressure/pressure-gate.ts'
import { type ListenAddress, ProxyApp, type SecureListening } from '../http/proxy-app.ts'
import type { Deadline } from '../lifecycle/deadline.ts'
import type { Drain } from '../lifecycle/drain.ts'
import type { TlsVersion } from '../model/types.ts'
import { type AccessLog, createAccessLog } from '../observe/access-log.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import type { Context } from '../plugin/context/context.ts'
import type { HookFailure } from '../plugin/fastify-hooks.ts'
import { type MountedPlugins, mountPlugins } from '../plugin/mount.ts'
import { OpenTunnels } from '../proxy/open-tunnels.ts'
import { agentRequestObserver } from './agent-requests.ts'
import { tellOfCutRequests } from './cut-requests.ts'
import type { Environment } from './environment.ts'
import {
  bodyLimits,
  connectionGate,
  frontDoor,
  handshakeObserver,
  http2CutObserver,
  leaveObserver,
  listenerLimits,
  refusalObserver,
} from './front-door.ts'
import { phaseFailure } from './plugin-failures.ts'
import { pressureGate } from './pressure.ts'
import { RequestTally, registerTrafficMetrics } from './request-tally.ts'

/** Where the proxy really listens. */
export interface Listening {
  readonly plain: readonly ListenAddress[]
  readonly secure: readonly ListenAddress[]
}

/** The proxy listeners with the plugins mounted on them. */
export class DataPlane {
  readonly #environment: Environment
  readonly #proxy: ProxyApp
  readonly #snapshots: SnapshotSource
  readonly #accessLog: AccessLog | undefined
  readonly #tunnels = new OpenTunnels()
  readonly #pressure: PressureGate
  readonly #eventStreams = new OpenTunnels()
  readonly #tally = new RequestTally()
  readonly #drain: Drain
  #mounted: MountedPlugins | undefined
  #drainingSinceMs: number | undefined

  constructor(environment: Environment, snapshots: SnapshotSource, drain: Drain) {
    const { settings, logger, metrics, debug } = environment
    this.#environment = environment
    this.#snapshots = snapshots
    this.#drain = drain
    const tally = this.#tally
    this.#countPending()
    countTunnels(metrics, this.#tunnels)
    this.#accessLog = accessLogOf(environment)
    const door = frontDoor(settings)
    const onRefused = refusalObserver(environment, this.#accessLog)
    const gate = connectionGate(environment, door)
    const { metric_prefix } = settings.plugin_attr.prometheus
    registerTrafficMetrics(metrics, metric_prefix, { tally, connections: gate })
    drain.counted('connections', () => gate.open)
    this.#pressure = pressureGate(environment, {
      onRefused: tally.countedUnread(onRefused),
      begun: () => tally.begun,
    })
    const handle = tally.counted(
      createHandler({
        snapshots,
        door,
        bodyLimits: bodyLimits(settings),
        onRefused: tally.countedRefusals(onRefused),
        proxy: {
          serverHeader: settings.gatewright.server_header,
          showUpstreamStatus: settings.apisix.show_upstream_status_in_response_header,
          tunnels: this.#tunnels,
          eventStreams: this.#eventStreams,
          debug: debug.switches,
        },
        logger,
        report: phaseFailure(logger, metrics),
        phaseTimeoutMs: settings.gatewright.plugin_phase_timeout_ms,
        startTrace: debug.startTrace,
        observers: [tally.end, debug.observe, ...this.#observers()],
      }),
    )
    this.#proxy = new ProxyApp({
      handle,
      overload: this.#pressure.overload,
      logger,
      limits: listenerLimits(settings),
      gate,
      onRefused: tally.countedUnread(onRefused),
      onHttp2Cut: http2CutObserver(metrics),
      onLeave: leaveObserver(metrics),
    })
  }

  /** Mounts plugins and catch-all, then listens. */
  async start(): Promise<Listening> {
    const { settings, plugins, compile, hostFor } = this.#environment
    this.#mounted = await mountPlugins(this.#proxy.app, {
      plugins: plugins.all(),
      instances: compile.instances,
      closeTimeoutMs: settings.gatewright.shutdown.plugin_close_ms,
      hostFor,
      onHookFailure: (failure) => this.#onHookFailure(failure),
    })
    await this.#pressure.mount(this.#proxy.app)
    await this.#proxy.mount()
    const { node_listen } = settings.apisix
    const opened = await this.#proxy.listen(node_listen, this.#secureListening())
    await this.#mounted.listening()
    return { plain: opened.slice(0, node_listen.length), secure: opened.slice(node_listen.length) }
  }

  /** Goes on accepting, and tells each client with its next answer that the connection ends. */
  startDraining(): void {
    this.#drainingSinceMs ??= performance.now()
    this.#proxy.startDraining()
  }

  /**
   * Goes on accepting until `minDrainMs` after the start of the drain, lets requests in flight end within the deadline and cuts the rest, then closes
   * the plugins in reverse load order. Resolves with how many connections were cut, and plugins left behind.
   */
  async stop(deadline: Deadline, minDrainMs: number): Promise<number> {
    this.startDraining()
    const drainedMs = performance.now() - this.#drainingSinceMs!
    await pause(Math.min(minDrainMs - drainedMs, deadline.remainingMs()))
    await this.#mounted?.closing()
    this.#tunnels.goAway()
    this.#eventStreams.goAway()
    const cut = await this.#cutAt(deadline)
    await this.#closePlugins()
    await this.#environment.http.close()
    this.#environment.pools.closeAll()
    await this.#accessLog?.close()
    return cut + this.#drain.forcedOf(PLUGIN)
  }

  async #cutAt({ signal }: Deadline): Promise<number> {
    const { logger } = this.#environment
    const tell = () => tellOfCutRequests(this.#tally, logger, this.#drain)
    if (signal.aborted) tell()
    else signal.addEventListener('abort', tell, { once: true })
    try {
      const cut = await this.#proxy.drain(signal)
      this.#drain.force('connections', cut)
      return cut
    } finally {
      signal.removeEventListener('abort', tell)
    }
  }

  async #closePlugins(): Promise<void> {
    const release = this.#drain.hold('plugins')
    await this.#proxy.app.close()
    release()
  }

  #countPending(): void {
    const drain = this.#drain
    drain.counted('requests', () => Math.max(0, this.#tally.underWay - this.#tunnels.size))
    drain.counted('tunnels', () => this.#tunnels.size)
  }

  #onHookFailure({ hook, plugin, lateAfterMs, error }: HookFailure): void {
    const { logger } = this.#environment
    if (hook === 'onClose') this.#drain.force(plugin === undefined ? PLUGIN : `${PLUGIN} ${plugin}`)
    if (lateAfterMs === undefined) logger.error({ plugin, hook, err: error }, 'a hook of a plugin failed')
    else logger.warn({ plugin, hook, lateAfterMs }, 'a hook of a plugin did not end and is left behind')
  }

  #secureListening(): SecureListening | undefined {
    const { settings, logger, metrics } = this.#environment
    const { enable, listen, ssl_protocols, ssl_ciphers, ssl_session_tickets, fallback_sni } =
      settings.apisix.ssl
    if (!enable) return undefined
    return {
      addresses: listen,
      termination: {
        defaults: {
          protocols: ssl_protocols.split(' ') as TlsVersion[],
          ciphers: ssl_ciphers,
          hasSessionTickets: ssl_session_tickets,
          alpn: settings.apisix.enable_http2 ? ['h2', 'http/1.1'] : ['http/1.1'],
        },
        fallbackServerName: fallback_sni?.toLowerCase(),
        certificates: () => this.#snapshots.current.certificates,
        logger,
        onRefused: handshakeObserver(metrics),
        onLeave: leaveObserver(metrics),
      },
    }
  }

  #observers(): RequestObserver[] {
    const log = this.#accessLog
    const all = [log && ((context: Context) => log.write(context)), agentRequestObserver(this.#environment)]
    return all.filter((observer) => observer !== undefined)
  }
}

/** What the drain calls plugins that were left behind, with their names. */
const PLUGIN = 'plugin'

function accessLogOf({ settings, logger, metrics }: Environment): AccessLog | undefined {
  const { log, workers } = settings.gatewright
  const dropped = metrics.counter({
    name: 'gatewright_access_log_dropped_lines_total',
    help: 'Lines of the access log that were lost because it could not be written',
    labels: [],
  })
  return createAccessLog(log.access_log, logger, {
    isShared: workers > 1,
    onDropped: (lines) => dropped.labels().inc(lines),
  })
}

function countTunnels(metrics: MetricRegistry, tunnels: OpenTunnels): void {
  const help = 'WebSocket and other tunnels that are open'
  const gauge = metrics.gauge({ name: 'gatewright_tunnels_open', help, labels: [] })
  metrics.beforeCollect(() => gauge.labels().set(tunnels.size))
}

function pause(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms))
}
