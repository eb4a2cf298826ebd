import { fork } from 'node:child_process'
import { once } from 'node:events'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { createAdminApi } from '../../../admin/api/index.ts'
import { catalogue } from '../../../plugins/catalogue.ts'
import { createGateway } from '../../../src/gateway/gateway.ts'
import { createLogger } from '../../../src/observe/logger.ts'
import { loadSettings } from '../../../src/settings/load.ts'

export const ADMIN_KEY = 'bench-key-0123456789-0123456789-ab'
const PROGRAM = fileURLToPath(import.meta.url)

/** How long other work held the event loop, since the last reading. */
export interface LoopDelay {
  readonly maxMs: number
  readonly p99Ms: number
}

/** A gateway in a process of its own that watches its event loop. */
export interface WatchedGateway {
  readonly pid: number
  readonly proxyUrl: string
  /** Leads nowhere without an admin API. */
  readonly adminUrl: string
  /** Answers since the last call and starts anew. */
  loopDelay(): Promise<LoopDelay>
  stop(): Promise<void>
}

interface Started {
  readonly proxyPort: number
  readonly adminPort: number
}

/** Starts one with these settings, by dotted paths, in that directory. */
export async function startWatchedGateway(
  directory: string,
  settings: Readonly<Record<string, unknown>>,
): Promise<WatchedGateway> {
  const child = fork(PROGRAM, [directory, JSON.stringify(settings)], {
    execArgv: ['--import', 'tsx'],
    // Its log would be thousands of lines, one for each write.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  child.once('exit', () => process.off('exit', killAtExit))
  const ended = once(child, 'exit').then(() => {
    throw new Error('the gateway under measurement ended')
  })
  // Told to whoever waits for an answer; nobody does when it is stopped.
  ended.catch(() => undefined)
  const answerOf = async <T>(): Promise<T> => {
    const [message] = await Promise.race([once(child, 'message'), ended])
    return message as T
  }
  const { proxyPort, adminPort } = await answerOf<Started>()
  return {
    pid: child.pid!,
    proxyUrl: `http://127.0.0.1:${proxyPort}`,
    adminUrl: `http://127.0.0.1:${adminPort}/apisix/admin`,
    loopDelay: () => {
      child.send('loop delay')
      return answerOf<LoopDelay>()
    },
    stop: async () => {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

/** What runs in the process of its own. */
async function serve(directory: string, flags: Readonly<Record<string, unknown>>): Promise<void> {
  const { settings } = loadSettings({
    env: {},
    workingDirectory: directory,
    flags: { ...FREE_PORTS, 'gatewright.data_dir': directory, ...flags },
  })
  const gateway = createGateway({
    settings,
    catalogue,
    adminApi: createAdminApi,
    logger: createLogger('error'),
  })
  const { proxy, admin } = await gateway.start()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  process.on('message', () => {
    process.send!({ maxMs: delay.max / 1e6, p99Ms: delay.percentile(99) / 1e6 } satisfies LoopDelay)
    delay.reset()
  })
  process.send!({ proxyPort: proxy[0]!.port, adminPort: admin?.port ?? 0 } satisfies Started)
}

const ANY_PORT = { ip: '127.0.0.1', port: 0 }
const FREE_PORTS = {
  'gatewright.log.access_log': 'off',
  'apisix.node_listen': [ANY_PORT],
  'apisix.ssl.enable': false,
  'apisix.status': ANY_PORT,
  'apisix.control': ANY_PORT,
  'plugin_attr.prometheus.export_addr': ANY_PORT,
  'deployment.admin.admin_listen': ANY_PORT,
  'deployment.admin.admin_key': [{ name: 'bench', key: ADMIN_KEY, role: 'admin' }],
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  await serve(process.argv[2]!, JSON.parse(process.argv[3]!))
}
