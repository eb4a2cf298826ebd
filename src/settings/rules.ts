import { brokenAdminRules, doubtfulAdminKeys } from './admin-rules.ts'
import { sampleKeyNames } from './sample-keys.ts'
import type { ListenAddress, Settings } from './settings.ts'

/** A socket this process is going to open, and the key that says so. */
export interface Listener {
  readonly name: 'proxy' | 'tls' | 'admin' | 'status' | 'control' | 'metrics'
  readonly path: string
  readonly address: ListenAddress
}

type Checked = Omit<Settings, 'store'>

/** Every socket these settings ask for, in the order in which people care. */
export function listenersOf(settings: Checked): Listener[] {
  const { apisix, deployment, plugin_attr } = settings
  const { prometheus } = plugin_attr
  const proxies = deployment.role === 'control_plane' ? [] : apisix.node_listen
  const listeners: Listener[] = proxies.map((address, index) => ({
    name: 'proxy',
    path: `apisix.node_listen[${index}]`,
    address,
  }))
  listeners.push(...tlsListeners(settings))
  const add = (name: Listener['name'], path: string, address: ListenAddress): void => {
    listeners.push({ name, path, address: { ip: address.ip, port: address.port } })
  }
  if (apisix.enable_admin) add('admin', 'deployment.admin.admin_listen', deployment.admin.admin_listen)
  add('status', 'apisix.status', apisix.status)
  if (apisix.enable_control) add('control', 'apisix.control', apisix.control)
  if (prometheus.enable_export_server)
    add('metrics', 'plugin_attr.prometheus.export_addr', prometheus.export_addr)
  return listeners
}

function tlsListeners({ apisix, deployment }: Checked): Listener[] {
  if (deployment.role === 'control_plane' || !apisix.ssl.enable) return []
  return apisix.ssl.listen.map((address, index) => ({
    name: 'tls',
    path: `apisix.ssl.listen[${index}]`,
    address,
  }))
}

/** What is wrong between keys that are each fine by themselves; one sentence each. */
export function brokenRules(settings: Checked): string[] {
  const { admin, role } = settings.deployment
  const { shutdown, prewarm, upgrade, dev, store } = settings.gatewright
  const problems = clashingListeners(listenersOf(settings))
  if (shutdown.min_drain_ms > shutdown.max_drain_ms) {
    problems.push(
      `gatewright.shutdown.min_drain_ms: ${shutdown.min_drain_ms} is not allowed; max_drain_ms includes it and is ${shutdown.max_drain_ms}`,
    )
  }
  if (prewarm.timeout_ms >= upgrade.ready_timeout_ms) {
    problems.push(
      `gatewright.prewarm.timeout_ms: ${prewarm.timeout_ms} is not allowed; upgrade.ready_timeout_ms includes it and is ${upgrade.ready_timeout_ms}`,
    )
  }
  if (role === 'data_plane' && isOwnStore(store)) {
    problems.push(
      `gatewright.store: "${store}" is not allowed with deployment.role "data_plane": without an admin API nothing could fill it; use etcd, or a file with role_data_plane.config_provider yaml or json`,
    )
  }
  const { dns } = settings.discovery
  if (dns.servers.length > 0 && dns.resolv_conf !== undefined) {
    problems.push(
      `discovery.dns: servers ${JSON.stringify(dns.servers)} and resolv_conf "${dns.resolv_conf}" are both set; use one of them`,
    )
  }
  if (!dev.allow_sample_admin_key) {
    for (const name of sampleKeyNames(admin.admin_key)) {
      problems.push(
        `deployment.admin.admin_key: the key of "${name}" is APISIX's published sample key, which everyone knows; use a key of your own, or none to have one generated (for development only: gatewright.dev.allow_sample_admin_key: true)`,
      )
    }
  }
  problems.push(...clashingZones(settings.apisix.proxy_cache.zones), ...brokenAdminRules(admin))
  return problems
}

/** Zones are told apart by name, and no two may share a folder: each counts and removes what it finds there. */
function clashingZones(zones: Checked['apisix']['proxy_cache']['zones']): string[] {
  const taken = new Set<string>()
  return zones.flatMap(({ name, disk_path }) =>
    [`name "${name}"`, ...(disk_path === undefined ? [] : [`disk_path "${disk_path}"`])].flatMap((what) => {
      const isTaken = taken.has(what)
      taken.add(what)
      return isTaken ? [`apisix.proxy_cache.zones: two zones have the ${what}; give each its own`] : []
    }),
  )
}

/** What is allowed but worth a sentence at start. */
export function doubtfulChoices(settings: Checked): string[] {
  const { admin } = settings.deployment
  const { role } = settings.deployment
  const { store } = settings.gatewright
  const warnings: string[] = []
  if (role === 'control_plane' && isOwnStore(store)) {
    warnings.push(
      `gatewright.store "${store}" with deployment.role "control_plane": no data plane can read what is written here; use etcd`,
    )
  }
  if (settings.apisix.proxy_mode !== 'http') {
    warnings.push(
      `apisix.proxy_mode "${settings.apisix.proxy_mode}": stream routes are checked and stored, but not served by this version`,
    )
  }
  if (settings.apisix.enable_admin && !admin.admin_key_required) {
    warnings.push(
      'deployment.admin.admin_key_required is false: whoever reaches the admin API may change everything',
    )
  }
  if (settings.apisix.enable_admin && admin.allow_admin === undefined) {
    warnings.push('deployment.admin.allow_admin is null: any address may call the admin API')
  }
  if (settings.apisix.enable_admin) warnings.push(...doubtfulAdminKeys(admin))
  return warnings
}

/** Whether no other process can reach the store. */
function isOwnStore(store: Checked['gatewright']['store']): boolean {
  return store === 'memory' || store === 'embedded'
}

function clashingListeners(listeners: readonly Listener[]): string[] {
  const problems: string[] = []
  listeners.forEach((listener, index) => {
    const other = listeners.slice(0, index).find((earlier) => isSameSocket(earlier.address, listener.address))
    if (other) {
      problems.push(
        `${listener.path}: port ${listener.address.port} is not allowed; ${other.path} listens on it already`,
      )
    }
  })
  return problems
}

function isSameSocket(one: ListenAddress, other: ListenAddress): boolean {
  if (one.port !== other.port || one.port === 0) return false
  return one.ip === other.ip || isWildcard(one.ip, other.ip) || isWildcard(other.ip, one.ip)
}

/** Whether `wildcard` takes the port on every address of the family of `ip`. */
function isWildcard(wildcard: string, ip: string): boolean {
  return wildcard === '0.0.0.0' ? !ip.includes(':') : wildcard === '::' && ip.includes(':')
}
