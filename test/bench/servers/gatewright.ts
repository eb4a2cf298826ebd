import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import type { BenchServer, ServerPlace } from './bench-server.ts'
import { freePort, startPinned } from './pinned-process.ts'

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

/** As an operator starts it: the built program, a settings file, one process, routes through the admin API. */
async function startWith({ core, originPort, folder }: ServerPlace, plugins: object): Promise<BenchServer> {
  const ports = { proxy: await freePort(), admin: await freePort(), status: await freePort() }
  const file = join(folder, 'config.yaml')
  await writeFile(file, stringify(await settingsFile(ports, folder)))
  const process_ = await startPinned({
    command: process.execPath,
    args: [PROGRAM, 'start', '-c', file],
    core,
    readyUrl: `http://127.0.0.1:${ports.status}/status/ready`,
    cwd: folder,
  })
  try {
    const key = (await readFile(join(folder, 'admin.key'), 'utf8')).trim()
    const put = putter(`http://127.0.0.1:${ports.admin}/apisix/admin`, key)
    await put('consumers', { username: 'bench', plugins: { 'key-auth': { key: CLIENT_KEY } } })
    const upstream = { type: 'roundrobin', nodes: { [`127.0.0.1:${originPort}`]: 1 } }
    await put('routes/bench', { uri: '/*', upstream, plugins })
    await untilServed(`http://127.0.0.1:${ports.proxy}/`)
  } catch (error) {
    await process_.stop()
    throw error
  }
  return { port: ports.proxy, process: process_ }
}

async function settingsFile(
  ports: { proxy: number; admin: number; status: number },
  folder: string,
): Promise<object> {
  const at = (port: number) => ({ ip: '127.0.0.1', port })
  return {
    apisix: {
      node_listen: [at(ports.proxy)],
      ssl: { enable: false },
      status: at(ports.status),
      control: at(await freePort()),
    },
    deployment: { admin: { admin_listen: at(ports.admin) } },
    plugin_attr: { prometheus: { export_addr: at(await freePort()) } },
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
