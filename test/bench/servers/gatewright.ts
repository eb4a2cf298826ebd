import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import type { Certificate } from '../../support/certificates.ts'
import type { BenchServer, DoorsServer, ServerPlace } from './bench-server.ts'
import { freePort, type PinnedProcess, startPinned } from './pinned-process.ts'

const PROGRAM = fileURLToPath(new URL('../../../bin/gatewright.js', import.meta.url))
const CLIENT_KEY = 'bench-client-key'
const ROUTE_DEADLINE_MS = 5_000
const POLL_MS = 20

/** Without plugins: any path goes to the origin. */
export function startGatewright(place: ServerPlace): Promise<BenchServer> {
  return startWith(place, {})
}

/** An authenticated, limited and counted route; the limit is never reached. */
export async function startGatewrightWithPlugins(place: ServerPlace): Promise<BenchServer> {
  const server = await startWith(place, {
    'key-auth': {},
    'limit-count': {
      count: 1_000_000_000,
      time_window: 60,
      policy: 'local',
      key_type: 'var',
      key: 'remote_addr',
    },
    prometheus: {},
  })
  return { ...server, requestHeaders: { apikey: CLIENT_KEY } }
}

/** One route without plugins, behind HTTP/1.1, HTTP/2 and TLS listeners. */
export async function startGatewrightDoors(
  place: ServerPlace,
  certificate: Certificate,
): Promise<DoorsServer> {
  const ports = { ...(await ownPorts()), http2: await freePort(), tls: await freePort() }
  const settings = {
    ...settingsFile(ports, place.folder),
    // nginx is told the same: else the load would measure how often it has to connect anew.
    nginx_config: { http: { keepalive_requests: 1_000_000_000 } },
    apisix: {
      ...settingsFile(ports, place.folder).apisix,
      node_listen: [at(ports.proxy), { ...at(ports.http2), enable_http2: true }],
      ssl: { listen: [at(ports.tls)], fallback_sni: 'localhost' },
    },
  }
  const started = await startOn(place, { ports, settings, plugins: {}, certificate })
  return { ports: { plain: ports.proxy, http2: ports.http2, tls: ports.tls }, process: started }
}

/** A gateway that can be asked for more than the proxy. */
export interface OpenGatewright extends BenchServer {
  readonly adminUrl: string
  readonly adminKey: string
  /** Answered 200 as long as it is ready. */
  readonly statusUrl: string
}

/** One route with plugins; connections are never closed for the number of their requests. */
export async function startGatewrightOpen(place: ServerPlace, plugins: object): Promise<OpenGatewright> {
  const ports = await ownPorts()
  const settings = {
    ...settingsFile(ports, place.folder),
    nginx_config: { http: { keepalive_requests: 1_000_000_000 } },
  }
  const started = await startOn(place, { ports, settings, plugins })
  return {
    port: ports.proxy,
    process: started,
    adminUrl: `http://127.0.0.1:${ports.admin}/apisix/admin`,
    adminKey: await adminKeyIn(place.folder),
    statusUrl: `http://127.0.0.1:${ports.status}/status/ready`,
  }
}

async function adminKeyIn(folder: string): Promise<string> {
  return (await readFile(join(folder, 'admin.key'), 'utf8')).trim()
}

async function startWith(place: ServerPlace, plugins: object): Promise<BenchServer> {
  const ports = await ownPorts()
  const settings = settingsFile(ports, place.folder)
  return { port: ports.proxy, process: await startOn(place, { ports, settings, plugins }) }
}

interface OwnPorts {
  readonly proxy: number
  readonly admin: number
  readonly status: number
  readonly control: number
  readonly metrics: number
}

async function ownPorts(): Promise<OwnPorts> {
  return {
    proxy: await freePort(),
    admin: await freePort(),
    status: await freePort(),
    control: await freePort(),
    metrics: await freePort(),
  }
}

interface Setup {
  readonly ports: OwnPorts
  readonly settings: object
  readonly plugins: object
  readonly certificate?: Certificate
}

/** As an operator starts it: the built program, a settings file, one process, routes through the admin API. */
async function startOn(
  { core, originPort, folder }: ServerPlace,
  { ports, settings, plugins, certificate }: Setup,
): Promise<PinnedProcess> {
  const file = join(folder, 'config.yaml')
  await writeFile(file, stringify(settings))
  const started = await startPinned({
    command: process.execPath,
    args: [PROGRAM, 'start', '-c', file],
    core,
    readyUrl: `http://127.0.0.1:${ports.status}/status/ready`,
    cwd: folder,
  })
  try {
    const key = await adminKeyIn(folder)
    const put = putter(`http://127.0.0.1:${ports.admin}/apisix/admin`, key)
    await put('consumers', { username: 'bench', plugins: { 'key-auth': { key: CLIENT_KEY } } })
    if (certificate) await put('ssls/bench', { snis: ['localhost'], ...certificate })
    const upstream = { type: 'roundrobin', nodes: { [`127.0.0.1:${originPort}`]: 1 } }
    await put('routes/bench', { uri: '/*', upstream, plugins })
    await untilServed(`http://127.0.0.1:${ports.proxy}/`)
  } catch (error) {
    await started.stop()
    throw error
  }
  return started
}

function at(port: number): { readonly ip: string; readonly port: number } {
  return { ip: '127.0.0.1', port }
}

function settingsFile(ports: OwnPorts, folder: string) {
  return {
    apisix: {
      node_listen: [at(ports.proxy)] as object[],
      ssl: { enable: false } as object,
      status: at(ports.status),
      control: at(ports.control),
    },
    deployment: { admin: { admin_listen: at(ports.admin) } },
    plugin_attr: { prometheus: { export_addr: at(ports.metrics) } },
    // nginx and HAProxy write no access log here either.
    gatewright: { data_dir: folder, log: { level: 'warn', access_log: 'off' } },
  }
}

function putter(adminUrl: string, key: string): (path: string, body: object) => Promise<void> {
  return async (path, body) => {
    const response = await fetch(`${adminUrl}/${path}`, {
      method: 'PUT',
      headers: { 'x-api-key': key, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!response.ok) throw new Error(`PUT ${path} was answered ${response.status} ${await response.text()}`)
  }
}

/** The admin API may answer before the change is served: a route that is not there yet is a 404. */
async function untilServed(url: string): Promise<void> {
  const deadline = Date.now() + ROUTE_DEADLINE_MS
  while (Date.now() < deadline) {
    const response = await fetch(url, { headers: { apikey: CLIENT_KEY } })
    await response.arrayBuffer()
    if (response.status === 200) return
    await wait(POLL_MS)
  }
  throw new Error(`the route was not served within ${ROUTE_DEADLINE_MS} ms`)
}
