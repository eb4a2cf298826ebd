import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { VERSION } from '../lib/version.ts'
import { isMap } from './key-spec.ts'
import { parseSize, parseTime } from './measures.ts'
import type { MutableTree } from './merge-layer.ts'
import type {
  AdminKey,
  AdminSettings,
  ListenAddress,
  NginxSettings,
  ProxyListenAddress,
  Settings,
} from './settings.ts'
import { bareIp } from './values.ts'

/**
 * Brings a merged and checked tree from file form into the form of {@link Settings}: short forms become lists, addresses lose their
 * brackets, `data_dir` becomes absolute, the role decides about the admin API, the version joins the `Server` header.
 */
export function normalize(merged: MutableTree, workingDirectory: string): Omit<Settings, 'store'> {
  // The tree was checked key by key against the one list that Settings is the type of.
  const tree = structuredClone(merged) as unknown as Omit<Settings, 'store'>
  const { apisix, deployment, gatewright, plugin_attr } = tree
  const prometheus = plugin_attr.prometheus
  return {
    ...tree,
    apisix: {
      ...apisix,
      node_listen: toProxyListeners(apisix.node_listen),
      enable_admin:
        deployment.role === 'traditional' ? apisix.enable_admin : deployment.role === 'control_plane',
      ssl: { ...apisix.ssl, listen: toListeners(apisix.ssl.listen) },
      control: { ...apisix.control, ip: bareIp(apisix.control.ip) },
      status: toListener(apisix.status),
      data_encryption: { ...apisix.data_encryption, keyring: [apisix.data_encryption.keyring].flat() },
    },
    nginx_config: { ...tree.nginx_config, http: toMeasures(tree.nginx_config.http) },
    plugin_attr: {
      ...plugin_attr,
      // APISIX keeps what this plugin needs beside the attributes of all others.
      'proxy-cache': {
        ...plugin_attr['proxy-cache'],
        ...toCacheAttributes(apisix.proxy_cache, resolve(workingDirectory, gatewright.data_dir)),
      },
      prometheus: { ...prometheus, export_addr: toListener(prometheus.export_addr) },
    },
    deployment: {
      ...deployment,
      admin: {
        ...deployment.admin,
        admin_key: toAdminKeys(deployment.admin.admin_key),
        admin_api_mtls: absolutePaths(deployment.admin.admin_api_mtls, workingDirectory),
        admin_listen: toListener(deployment.admin.admin_listen),
      },
      etcd: { ...deployment.etcd, prefix: `/${deployment.etcd.prefix.replace(/^\/|\/$/g, '')}` },
    },
    gatewright: {
      ...gatewright,
      data_dir: resolve(workingDirectory, gatewright.data_dir),
      workers:
        deployment.role === 'control_plane'
          ? 1
          : toWorkers(gatewright.workers ?? tree.nginx_config.worker_processes),
      plugin_paths: gatewright.plugin_paths.map((path) => resolve(workingDirectory, path)),
      log: { ...gatewright.log, audit_log: auditTarget(gatewright.log.audit_log, workingDirectory) },
      server_header:
        gatewright.server_header !== false && apisix.enable_server_tokens
          ? `${gatewright.server_header}/${VERSION}`
          : gatewright.server_header,
    },
  }
}

function toWorkers(value: number | 'auto'): number {
  return value === 'auto' ? availableParallelism() : value
}

/** Times and sizes as the numbers that they stand for. */
function toMeasures(http: NginxSettings['http']): NginxSettings['http'] {
  return {
    ...http,
    client_header_timeout: parseTime(http.client_header_timeout)!,
    client_body_timeout: parseTime(http.client_body_timeout)!,
    send_timeout: parseTime(http.send_timeout)!,
    client_max_body_size: parseSize(http.client_max_body_size)!,
    keepalive_timeout: parseTime(http.keepalive_timeout)!,
  }
}

const DEFAULT_CACHE_LEVELS = '1:2'
const DEFAULT_DISK_SIZE = '1g'

/** What the plugin `proxy-cache` reads: the same with numbers for measures and absolute folders. */
function toCacheAttributes(
  { cache_ttl, zones }: Settings['apisix']['proxy_cache'],
  dataDir: string,
): Record<string, unknown> {
  return {
    cache_ttl_ms: parseTime(cache_ttl),
    zones: zones.map(({ name, memory_size, disk_size, disk_path, cache_levels }) => ({
      name,
      memory_bytes: parseSize(memory_size),
      ...(disk_path !== undefined && {
        folder: resolve(dataDir, disk_path),
        disk_bytes: parseSize(disk_size ?? DEFAULT_DISK_SIZE),
        levels: (cache_levels ?? DEFAULT_CACHE_LEVELS).split(':').map(Number),
      }),
    })),
  }
}

function absolutePaths(
  paths: AdminSettings['admin_api_mtls'],
  workingDirectory: string,
): AdminSettings['admin_api_mtls'] {
  const named = Object.entries(paths).filter(([, path]) => path !== '')
  return Object.fromEntries(named.map(([name, path]) => [name, resolve(workingDirectory, path)]))
}

function auditTarget(target: string, workingDirectory: string): string {
  return target === 'log' || target === 'off' ? target : resolve(workingDirectory, target)
}

/** An entry with an empty key asks for a generated one, as in APISIX's sample file, and counts as not there. */
function toAdminKeys(keys: readonly AdminKey[]): AdminKey[] {
  return keys
    .filter(({ key }) => key !== '')
    .map(({ name, key, role, scope }, index) => ({
      name: name ?? `key-${index + 1}`,
      key,
      role,
      ...(scope && { scope }),
    }))
}

function toProxyListeners(value: unknown): ProxyListenAddress[] {
  return [value].flat().map((one) => ({
    ...toListener(one),
    ...(isMap(one) && one['enable_http2'] === true && { enable_http2: true as const }),
  }))
}

function toListeners(value: unknown): ListenAddress[] {
  return [value].flat().map(toListener)
}

function toListener(value: unknown): ListenAddress {
  if (!isMap(value)) return { ip: '0.0.0.0', port: value as number }
  return { ip: bareIp((value['ip'] as string | undefined) ?? '0.0.0.0'), port: value['port'] as number }
}
