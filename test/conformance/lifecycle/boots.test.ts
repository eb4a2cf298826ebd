import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, Server } from 'node:net'
import { it, type TestContext } from 'node:test'
import { createAdminApi } from '../../../admin/api/index.ts'
import { createGateway } from '../../../src/gateway/gateway.ts'
import { createLogger } from '../../../src/observe/logger.ts'
import { loadSettings } from '../../../src/settings/load.ts'

const BOOTS = 100
const ANY = { ip: '127.0.0.1', port: 0 }

/** What begins to listen while this is watched, the closed ones too. */
function watchServers(t: TestContext): { readonly ports: () => number[] } {
  const servers = new Set<Server>()
  const { listen } = Server.prototype
  t.mock.method(Server.prototype, 'listen', function (this: Server, ...args: Parameters<typeof listen>) {
    servers.add(this)
    return listen.apply(this, args)
  })
  return {
    ports: () =>
      [...servers].filter(({ listening }) => listening).map((one) => (one.address() as AddressInfo).port),
  }
}

async function isConnectable(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  try {
    await once(socket, 'connect')
    return true
  } catch {
    return false
  } finally {
    socket.destroy()
  }
}

function build() {
  const { settings } = loadSettings({
    env: {},
    workingDirectory: '/',
    flags: {
      plugins: [],
      'gatewright.store': 'memory',
      'gatewright.log.access_log': 'off',
      'apisix.node_listen': [ANY, ANY],
      'apisix.ssl.listen': [ANY],
      'apisix.status': ANY,
      'apisix.enable_control': false,
      'apisix.enable_admin': false,
      'plugin_attr.prometheus.enable_export_server': false,
    },
  })
  const logger = createLogger('silent')
  return createGateway({ settings, catalogue: {}, adminApi: createAdminApi, logger })
}

/** The ports that can be connected to at the very moment at which a gateway becomes ready, and those of its proxy. */
async function boot(servers: { readonly ports: () => number[] }) {
  const gateway = build()
  const readiness = gateway.readiness as { release(name: string): void; readonly isReady: boolean }
  const release = readiness.release
  let atReady: Promise<[port: number, isOpen: boolean][]> | undefined
  readiness.release = (name) => {
    release(name)
    if (!readiness.isReady || atReady) return
    atReady = Promise.all(
      servers.ports().map(async (port): Promise<[number, boolean]> => [port, await isConnectable(port)]),
    )
  }
  const { proxy, tls } = await gateway.start()
  const connectable = new Map(await atReady)
  await gateway.stop('seen')
  return [...proxy, ...tls!].map(({ port }) => connectable.get(port))
}

it(`S8: over ${BOOTS} boots, whoever is told "ready" can connect to every listener of the proxy`, async (t) => {
  const servers = watchServers(t)
  const began = performance.now()
  for (let count = 0; count < BOOTS; count++) {
    assert.deepEqual(await boot(servers), [true, true, true], `boot ${count}`)
  }
  t.diagnostic(`${BOOTS} boots in ${Math.round(performance.now() - began)} ms`)
})
