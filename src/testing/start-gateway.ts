import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { createAdminApi } from '../../admin/api/index.ts'
import { catalogue } from '../../plugins/catalogue.ts'
import { createGateway, type Gateway, type GatewayAddresses } from '../gateway/gateway.ts'
import type { Catalogue, PluginList } from '../gateway/load-plugins.ts'
import type { Kind } from '../model/kind.ts'
import type { Documents } from '../model/types.ts'
import { createLogger } from '../observe/logger.ts'
import { loadSettings } from '../settings/load.ts'
import type { ConfigStore } from '../store/config-store.ts'

export const ADMIN_KEY = 'test-key-0123456789-0123456789-ab'

/** Documents by kind and id, put into the store before the gateway starts. */
export type Resources = { readonly [K in Kind]?: Readonly<Record<string, Partial<Documents[K]>>> }

export interface StartOptions {
  /** Dotted paths of the settings file and their values. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Plugins beside the catalogue's. */
  readonly plugins?: Catalogue
  readonly store?: ConfigStore
  /** Texts by name, in the directory that the gateway works in. */
  readonly files?: Readonly<Record<string, string>>
  /** What a reload of the plugins finds in the settings. */
  readonly readPluginList?: () => PluginList
}

export interface TestGateway {
  readonly gateway: Gateway
  /** The directory it works in. */
  readonly directory: string
  readonly addresses: GatewayAddresses
  /** `http://127.0.0.1:PORT` of the first proxy listener. */
  readonly proxyUrl: string
  readonly proxyPort: number
  /** Of the first listener with TLS; 0 when there is none. */
  readonly tlsPort: number
  /** Lines of the structured log, parsed. */
  readonly logs: readonly Readonly<Record<string, unknown>>[]
  /** Calls the admin API with the admin key; waits until the change is served. */
  admin(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: Record<string, unknown> }>
  /** Writes a document through the admin API and waits until it is served; throws when it is refused. */
  put<K extends Kind>(kind: K, id: string, document: Partial<Documents[K]>): Promise<void>
  stop(): Promise<{ readonly forced: number }>
}

/** A whole gateway in this process: real sockets on free ports, memory store, stopped when the test ends. */
export async function startGateway(
  t: Pick<TestContext, 'after'>,
  resources: Resources = {},
  options: StartOptions = {},
): Promise<TestGateway> {
  const dataDir = await mkdtemp(join(tmpdir(), 'gatewright-test-'))
  for (const [name, text] of Object.entries(options.files ?? {})) await writeFile(join(dataDir, name), text)
  const logs: Record<string, unknown>[] = []
  const logger = createLogger('debug', { write: (line: string) => void logs.push(JSON.parse(line)) })
  const { settings } = loadSettings({
    env: {},
    workingDirectory: dataDir,
    flags: { ...FREE_PORTS, ...NO_PRESSURE, 'gatewright.data_dir': dataDir, ...options.settings },
  })
  const gateway = createGateway({
    settings,
    catalogue: { ...catalogue, ...options.plugins },
    adminApi: createAdminApi,
    logger,
    ...(options.store && { store: options.store }),
    ...(options.readPluginList && { readPluginList: options.readPluginList }),
  })
  t.after(async () => {
    await gateway.stop('test ended')
    // Not before: a gateway that runs writes into it.
    await rm(dataDir, { recursive: true, force: true })
  })
  const addresses = await gateway.start()
  const { port = 0 } = addresses.proxy[0] ?? {}
  const started: TestGateway = {
    gateway,
    directory: dataDir,
    addresses,
    proxyPort: port,
    tlsPort: addresses.tls?.[0]?.port ?? 0,
    proxyUrl: `http://127.0.0.1:${port}`,
    logs,
    admin: (method, path, body) => callAdmin(gateway, addresses, { method, path, body }),
    put: async (kind, id, document) => {
      const { status, body } = await callAdmin(gateway, addresses, {
        method: 'PUT',
        path: `${kind}/${id}`,
        body: document,
      })
      if (status >= 300) throw new Error(`${kind}/${id} was refused: ${status} ${JSON.stringify(body)}`)
    },
    stop: () => gateway.stop('test'),
  }
  for (const kind of Object.keys(resources) as Kind[]) {
    for (const [id, document] of Object.entries(resources[kind] ?? {})) await started.put(kind, id, document)
  }
  return started
}

/** Clients and nodes of a test share its event loop: how late it is says nothing of the gateway. */
const NO_PRESSURE = {
  'gatewright.pressure.overload_delay_ms': 0,
  'gatewright.pressure.max_event_loop_delay_ms': 0,
  'gatewright.pressure.max_heap_percent': 0,
}

const FREE_PORTS = {
  'gatewright.store': 'memory',
  'gatewright.log.access_log': 'off',
  'apisix.node_listen': [{ ip: '127.0.0.1', port: 0 }],
  'apisix.ssl.listen': [{ ip: '127.0.0.1', port: 0 }],
  'apisix.status': { ip: '127.0.0.1', port: 0 },
  'apisix.control': { ip: '127.0.0.1', port: 0 },
  'plugin_attr.prometheus.export_addr': { ip: '127.0.0.1', port: 0 },
  'deployment.admin.admin_listen': { ip: '127.0.0.1', port: 0 },
  'deployment.admin.admin_key': [{ name: 'admin', key: ADMIN_KEY, role: 'admin' }],
}

async function callAdmin(
  gateway: Gateway,
  addresses: GatewayAddresses,
  { method, path, body }: { method: string; path: string; body: unknown },
): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`http://127.0.0.1:${addresses.admin!.port}/apisix/admin/${path}`, {
    method,
    headers: { 'x-api-key': ADMIN_KEY, 'content-type': 'application/json' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  await gateway.settled()
  return { status: response.status, body: text === '' ? undefined : JSON.parse(text) }
}
