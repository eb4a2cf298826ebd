import type { Component } from '../lifecycle/components.ts'
import type { Publisher } from '../snapshot/publisher.ts'
import type { Addresses, Surroundings } from './components.ts'
import { DataPlane, type Listening } from './data-plane.ts'
import type { EnabledPlugins } from './enabled-plugins.ts'
import type { Environment } from './environment.ts'
import { prewarm } from './prewarm.ts'
import type { Primary } from './primary.ts'

interface ProxyParts {
  readonly environment: Environment
  readonly surroundings: Surroundings
  readonly publisher: Publisher
  readonly enabled: EnabledPlugins
  /** Filled in at the start. */
  readonly addresses: Addresses
}

interface ProxyRanks {
  readonly prewarm: number
  readonly proxy: number
}

/** What serves requests, in this process or in workers, and what is made ready before. */
export function proxyComponents(parts: ProxyParts, rank: ProxyRanks): Component[] {
  const { primary } = parts.surroundings
  const serving = primary ? workersComponent(parts, primary) : proxyComponent(parts)
  return [
    {
      name: 'prewarm',
      rank: rank.prewarm,
      start: (signal) => prewarm(parts.environment, { signal, sendsRequests: !primary }),
      stop: async () => 0,
    },
    { ...serving, rank: rank.proxy },
  ]
}

function proxyComponent({
  environment,
  surroundings,
  publisher,
  addresses,
  enabled,
}: ProxyParts): Omit<Component, 'rank'> {
  const plane = new DataPlane(environment, publisher, surroundings.drain)
  const { min_drain_ms } = environment.settings.gatewright.shutdown
  return {
    name: 'proxy',
    start: async () => {
      enabled.mounting()
      note(addresses, await plane.start())
      surroundings.readiness.release('proxy')
    },
    onDrain: () => plane.startDraining(),
    stop: (deadline) => plane.stop(deadline, min_drain_ms),
  }
}

/** The proxy, in processes of its own. */
function workersComponent(
  { environment, addresses, enabled }: ProxyParts,
  primary: Primary,
): Omit<Component, 'rank'> {
  const { min_drain_ms } = environment.settings.gatewright.shutdown
  return {
    name: 'workers',
    start: async (signal) => {
      enabled.mounting()
      note(addresses, await primary.start(signal))
    },
    onDrain: () => primary.startDraining(),
    stop: (deadline) => primary.stop(deadline, min_drain_ms),
  }
}

function note(addresses: Addresses, { plain, secure }: Listening): void {
  addresses.proxy = plain
  if (secure.length > 0) addresses.tls = secure
}
