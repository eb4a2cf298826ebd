import { VERSION } from '../lib/version.ts'
import type { GeneratedKey } from '../settings/admin-key.ts'
import type { LoadedSettings } from '../settings/load.ts'
import { listenersOf } from '../settings/rules.ts'
import type { ListenAddress, Settings, StoreSettings } from '../settings/settings.ts'
import type { Addresses } from './command.ts'

/** What the operator should know before the start: ignored keys and doubtful choices. */
export function noticesOf(loaded: LoadedSettings): string[] {
  const ignored =
    loaded.ignored.length > 0 ? [`ignored, without meaning here: ${loaded.ignored.join(', ')}`] : []
  return [...ignored, ...loaded.warnings.map((warning) => `warning: ${warning}`)]
}

/** The generated key: itself at the first start only, later where it is kept. */
export function keyNotice(generated: GeneratedKey): string {
  return generated.isNew
    ? `admin key: ${generated.key} (shown this once; kept in ${generated.path})`
    : `admin key: in ${generated.path}`
}

/** One line for each place where the gateway can be reached. */
export function addressLines(addresses: Addresses, settings: Settings): string[] {
  const lines = [`gatewright ${VERSION}, store: ${storeWords(settings.store)}`]
  const add = (name: string, address: ListenAddress | undefined, path = ''): void => {
    if (address) lines.push(`  ${name.padEnd(8)} ${urlOf(address)}${path}`)
  }
  for (const address of addresses.proxy) add('proxy', address)
  for (const address of addresses.tls ?? []) lines.push(`  ${'proxy'.padEnd(8)} ${urlOf(address, 'https')}`)
  if (addresses.admin) {
    const scheme = settings.deployment.admin.https_admin ? 'https' : 'http'
    lines.push(`  ${'admin'.padEnd(8)} ${urlOf(addresses.admin, scheme)}/apisix/admin`)
  }
  add('status', addresses.status, '/status')
  add('control', addresses.control, '/v1')
  add('metrics', addresses.metrics, settings.plugin_attr.prometheus.export_uri)
  return lines
}

/** For a start that failed because a port is taken: which key asks for it. Undefined for any other failure. */
export function takenPortLine(error: unknown, settings: Settings): string | undefined {
  const { code, port, address } = error as { code?: unknown; port?: unknown; address?: unknown }
  if (code !== 'EADDRINUSE') return undefined
  const listeners = listenersOf(settings).filter((listener) => listener.address.port === port)
  const path = (listeners.find((listener) => listener.address.ip === address) ?? listeners[0])?.path
  return `the gateway cannot start: port ${port} on ${address} is taken${path ? ` (${path})` : ''}; stop what listens there or choose another port`
}

/** `http://127.0.0.1:9080`; IPv6 in brackets. */
export function urlOf({ ip, port }: ListenAddress, scheme: 'http' | 'https' = 'http'): string {
  return `${scheme}://${ip.includes(':') ? `[${ip}]` : ip}:${port}`
}

function storeWords(store: StoreSettings): string {
  if (store.type === 'etcd')
    return `etcd, ${store.etcd.host.map((url) => new URL(url).host).join(' ')}${store.prefix}`
  if (store.type === 'configs') return 'whole configurations through /apisix/admin/configs'
  return 'path' in store ? `${store.type}, ${store.path}` : store.type
}
