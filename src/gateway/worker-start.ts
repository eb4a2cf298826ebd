import { createServer } from 'node:net'
import { isDeepStrictEqual } from 'node:util'
import type { DebugSettings, ListenAddress, Settings } from '../settings/settings.ts'
import type { DescribedPlugin } from './own-plugins/described-plugin.ts'

/** What a worker is made with. */
export interface WorkerStart {
  /** Without what only the primary process needs: keys of the admin API, access to etcd. */
  readonly settings: Settings
  /** Names of the plugins that are enabled. */
  readonly plugins: readonly string[]
  /** How long it is to say what it does before it does it: one before it has ended over something. */
  readonly wordsForMs: number
  /** In `gatewright dev`: the primary process does not know the user's own plugins, and `plugins` are those of the product. */
  readonly development?: {
    /** What the settings say of `plugins`. */
    readonly list: Settings['plugins']
  }
}

/** What a worker tells once it is prepared, in `gatewright dev`. */
export interface WorkerPrepared {
  readonly own: readonly DescribedPlugin[]
}

/** Where a worker listens. */
export interface WorkerAddresses {
  readonly plain: readonly ListenAddress[]
  readonly secure: readonly ListenAddress[]
}

/** How long a worker may take to end. */
export interface DrainOrder {
  readonly deadlineMs: number
  readonly minDrainMs: number
}

/** The settings of one worker out of several; `debug` as it was switched meanwhile. */
export function workerSettings(settings: Settings, debug: DebugSettings): Settings {
  const { deployment, gatewright, store } = settings
  const { limits, workers } = gatewright
  const { user: _user, password: _password, ...etcd } = deployment.etcd
  return {
    ...settings,
    store: store.type === 'etcd' ? { ...store, etcd } : store,
    deployment: { ...deployment, etcd, admin: { ...deployment.admin, admin_key: [], admin_api_mtls: {} } },
    gatewright: {
      ...gatewright,
      debug,
      limits: {
        ...limits,
        max_connections: Math.ceil(limits.max_connections / workers),
        max_connections_per_client: Math.ceil(limits.max_connections_per_client / workers),
      },
    },
  }
}

/** Settings, and the same with a port for each listener. */
export interface ChosenPorts {
  readonly asked: Settings
  readonly chosen: Settings
}

/**
 * The settings with a free port wherever one is to be chosen: all workers, and those that come later, must have the same one. Listeners that are asked
 * for as they were `before` keep theirs.
 */
export async function withChosenPorts(asked: Settings, before?: ChosenPorts): Promise<ChosenPorts> {
  const { apisix } = asked
  const choose = async <A extends ListenAddress>(pick: (apisix: Settings['apisix']) => readonly A[]) => {
    const addresses = pick(apisix)
    if (before && isDeepStrictEqual(addresses, pick(before.asked.apisix))) return pick(before.chosen.apisix)
    return Promise.all(
      addresses.map(async (one) => (one.port === 0 ? { ...one, port: await freePort(one.ip) } : one)),
    )
  }
  const node_listen = await choose((one) => one.node_listen)
  const { ssl } = apisix
  const listen = ssl.enable ? await choose((one) => (one.ssl.enable ? one.ssl.listen : [])) : ssl.listen
  return { asked, chosen: { ...asked, apisix: { ...apisix, node_listen, ssl: { ...ssl, listen } } } }
}

function freePort(ip: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, ip, () => {
      const address = server.address()
      const port = typeof address === 'object' && address ? address.port : 0
      server.close(() => resolve(port))
    })
  })
}
