import type { RequestObserver } from '../http/close.ts'
import { createHandler } from '../http/handle.ts'
import type { PressureGate } from '../http/pressure/pressure-gate.ts'
import { type ListenAddress, ProxyApp, type SecureListening } from '../http/proxy-app.ts'
import type { Deadline } from '../lifecycle/deadline.ts'
import type { TlsVersion } from '../model/types.ts'
import { type AccessLog, createAccessLog } from '../observe/access-log.ts'
import type { MetricRegistry } from '../observe/metrics.ts'
import { mountPlugins } from '../plugin/mount.ts'
import { OpenTunnels } from '../proxy/open-tunnels.ts'
import type { Publisher } from '../snapshot/publisher.ts'
import { type DrainMetrics, registerDrainMetrics } from './drain-metrics.ts'
import type { Environment } from './environment.ts'
import {
  bodyLimits,
  connectionGate,
  frontDoor,
  handshakeObserver,
  http2CutObserver,
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
  readonly #publisher: Publisher
  readonly #accessLog: AccessLog | undefined
  readonly #tunnels = new OpenTunnels()
  readonly #pressure: PressureGate
  readonly #drain: DrainMetrics

  constructor(environment: Environment, publisher: Publisher) {
    const { settings, logger, metrics, debug } = environment
    this.#environment = environment
    this.#publisher = publisher
    countTunnels(metrics, this.#tunnels)
    const { log, workers } = settings.gatewright
    this.#accessLog = createAccessLog(log.access_log, logger, workers > 1)
    const door = frontDoor(settings)
    const onRefused = refusalObserver(environment, this.#accessLog)
    const gate = connectionGate(environment, door)
    const tally = new RequestTally()
    const { metric_prefix } = settings.plugin_attr.prometheus
    registerTrafficMetrics(metrics, metric_prefix, { tally, connections: gate })
    this.#drain = registerDrainMetrics(metrics, {
      requests: () => tally.underWay,
      tunnels: () => this.#tunnels.size,
      connections: () => gate.open,
    })
    this.#pressure = pressureGate(environment, {
      onRefused: tally.countedUnread(onRefused),
      begun: () => tally.begun,
    })
    const handle = tally.counted(
      createHandler({
        snapshots: publisher,
        door,
        bodyLimits: bodyLimits(settings),
        onRefused: tally.countedRefusals(onRefused),
        proxy: {
          serverHeader: settings.gatewright.server_header,
          showUpstreamStatus: settings.apisix.show_upstream_status_in_response_header,
          tunnels: this.#tunnels,
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
      handle: this.#pressure.guarded(handle),
      logger,
      limits: listenerLimits(settings),
      gate,
      onRefused: tally.countedUnread(onRefused),
      onHttp2Cut: http2CutObserver(metrics),
    })
  }

  /** Mounts plugins and catch-all, then listens. */
  async start(): Promise<Listening> {
    const { settings, plugins, compile, hostFor } = this.#environment
    await mountPlugins(this.#proxy.app, {
      plugins: plugins.all(),
      instances: compile.instances,
      closeTimeoutMs: settings.gatewright.shutdown.plugin_close_ms,
      hostFor,
    })
    await this.#pressure.mount(this.#proxy.app)
    await this.#proxy.mount()
    const { node_listen } = settings.apisix
    const opened = await this.#proxy.listen(node_listen, this.#secureListening())
    return { plain: opened.slice(0, node_listen.length), secure: opened.slice(node_listen.length) }
  }

  /**
   * Goes on accepting for `minDrainMs`, lets requests in flight end within the deadline and cuts the rest, then closes the plugins
   * in reverse load order. Resolves with how many connections were cut.
   */
  async stop(deadline: Deadline, minDrainMs: number): Promise<number> {
    this.#drain.begin()
    this.#proxy.startDraining()
    await pause(Math.min(minDrainMs, deadline.remainingMs()))
    this.#tunnels.goAway()
    const forced = await this.#proxy.drain(deadline.signal)
    this.#drain.end(forced)
    await this.#proxy.app.close()
    await this.#environment.http.close()
    this.#environment.pools.closeAll()
    await this.#accessLog?.close()
    return forced
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
        certificates: () => this.#publisher.current.certificates,
        logger,
        onRefused: handshakeObserver(metrics),
      },
    }
  }

  #observers(): RequestObserver[] {
    const log = this.#accessLog
    return log ? [(context) => log.write(context)] : []
  }
}

function countTunnels(metrics: MetricRegistry, tunnels: OpenTunnels): void {
  const help = 'WebSocket and other tunnels that are open'
  const gauge = metrics.gauge({ name: 'gatewright_tunnels_open', help, labels: [] })
  metrics.beforeCollect(() => gauge.labels().set(tunnels.size))
}

function pause(ms: number): Promise<void> {
  return ms <= 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms))
}
